// Asking this process. Paths are relative, so that the pages work wherever they
// are mounted.

import { clockIs } from "./format.js";

// get is the answer to a path under api/, as JSON.
export async function get(path, signal) {
  const response = await fetch(`api/${path}`, { signal, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(await reason(response));
  const answer = await response.json();
  if (answer.at) clockIs(answer.at);
  return answer;
}

async function reason(response) {
  const text = (await response.text()).trim();
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text || `${response.status} ${response.statusText}`;
  }
}

// poll asks again and again, until signal aborts, and not while nobody looks.
// Failures are told to failed, and do not end it.
export async function poll(path, { signal, every = 1000, got, failed }) {
  while (!signal.aborted) {
    let tell;
    try {
      const answer = await get(path, signal);
      tell = () => got(answer);
    } catch (err) {
      tell = () => failed(err);
    }
    if (!signal.aborted) tell();
    await pause(every, signal);
    await seen(signal);
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener("abort", over);
  });
}

// seen waits until the page is to be seen.
async function seen(signal) {
  while (document.hidden && !signal.aborted) await pause(200, signal);
}
