// Types of what html.js passes on. For the type checker alone: it is not served, and the libraries' own would be 5,000 lines.
export interface Signal<T> {
  value: T;
  peek(): T;
}
export interface Drawn {
  type: unknown;
  props: object;
}
type Inputs = readonly unknown[];

export function html(strings: TemplateStringsArray, ...values: unknown[]): Drawn;
export function render(what: Drawn, into: Element): void;
export function signal<T>(value: T): Signal<T>;
export function useSignal<T>(value: T): Signal<T>;
export function effect(run: () => unknown): () => void;
export function useEffect(run: () => void | (() => void), inputs?: Inputs): void;
export function useLayoutEffect(run: () => void, inputs?: Inputs): void;
export function useRef<T>(value: T): { current: T };
export function useCallback<T extends Function>(call: T, inputs: Inputs): T;
export function useErrorBoundary(): [Error | undefined, () => void];
