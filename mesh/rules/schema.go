package rules

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// schemaOf describes a struct of this package as the message of its JSON, so that
// what is written is compared with it as with Istio's own messages. A struct
// that has no such form is an error in this package, and panics.
func schemaOf(t reflect.Type) protoreflect.MessageDescriptor {
	file := &descriptorpb.FileDescriptorProto{
		Name:    proto.String(t.Name()),
		Package: proto.String("inmesh.rules"),
		Syntax:  proto.String("proto3"),
	}
	describe(file, t)
	fd, err := protodesc.NewFile(file, nil)
	if err != nil {
		panic(fmt.Sprintf("rules: %s has no schema: %v", t, err))
	}
	return fd.Messages().ByName(protoreflect.Name(t.Name()))
}

// describe adds the message of t, and those of its fields, unless they are there.
func describe(file *descriptorpb.FileDescriptorProto, t reflect.Type) {
	for _, m := range file.MessageType {
		if m.GetName() == t.Name() {
			return
		}
	}
	m := &descriptorpb.DescriptorProto{Name: proto.String(t.Name())}
	file.MessageType = append(file.MessageType, m)
	for i := range t.NumField() {
		m.Field = append(m.Field, describeField(file, t.Field(i), int32(i+1)))
	}
}

func describeField(file *descriptorpb.FileDescriptorProto, f reflect.StructField, number int32) *descriptorpb.FieldDescriptorProto {
	name := f.Tag.Get("json")
	d := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), JsonName: proto.String(name), Number: proto.Int32(number),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	t := f.Type
	if t.Kind() == reflect.Slice {
		d.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	case reflect.Uint32:
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_UINT32.Enum()
	case reflect.Struct:
		describe(file, t)
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		d.TypeName = proto.String(".inmesh.rules." + t.Name())
	}
	return d // without a type, which NewFile refuses
}
