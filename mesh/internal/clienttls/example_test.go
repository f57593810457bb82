package clienttls_test

import (
	"fmt"

	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
)

func ExampleFiles() {
	files := clienttls.NewFiles(clienttls.FilesConfig{SNI: "reviews.example.com"})
	config, err := files.Config("reviews", "h2", "http/1.1")
	fmt.Println(config.ServerName, config.NextProtos, err)
	_, err = clienttls.NewFiles(clienttls.FilesConfig{CA: "/none"}).Config("reviews")
	fmt.Println(err)
	// Output:
	// reviews.example.com [h2 http/1.1] <nil>
	// CA certificates: stat /none: no such file or directory
}
