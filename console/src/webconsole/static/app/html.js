// What every page is written with: templates without a build step, and state that redraws what reads it.
import { h, render } from "../vendor/preact-11.2.0.js";
import { useCallback, useEffect, useErrorBoundary, useLayoutEffect, useRef } from "../vendor/preact-hooks-11.2.0.js";
import { effect, signal, useSignal } from "../vendor/preact-signals-2.11.4.js";
import htm from "../vendor/htm-3.1.1.js";

export const html = htm.bind(h);
export { effect, render, signal, useCallback, useEffect, useErrorBoundary, useLayoutEffect, useRef, useSignal };
