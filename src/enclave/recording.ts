import type { Digest } from '#kernel';

/** A request that a program in a recorded enclave made, with all redirects that it followed. */
export interface RecordedRequest {
  /** RFC 3339 with milliseconds, of its beginning. */
  readonly time: string;
  readonly machine: string;
  /** Who asked. Absent: not known, which is not the same as nobody. */
  readonly process?: { readonly pid: number; readonly command: string };
  /** `NAME@VERSION` of npm, or the Python distribution, that the process worked for. */
  readonly package?: string;
  readonly method: string;
  /** What was asked first, without query, which may hold secrets. */
  readonly url: string;
  /** Digest of the query with its `?`, where there was one: it tells requests apart and shows nothing. */
  readonly query?: Digest;
  /** Where redirects led, in order; the last one is where the body came from. */
  readonly redirects: readonly string[];
  /**
   * `answered`: upstream's answer went to the program whole. `broken`: it began and did not end. `failed`: upstream gave
   * none. `refused`: we asked nobody.
   */
  readonly outcome: 'answered' | 'broken' | 'failed' | 'refused';
  /** Of the last answer. */
  readonly status?: number;
  /** Of the body that the program got, as it came over the wire, without a transfer coding; of a whole one only. */
  readonly digest?: Digest;
  /** Bytes of it, also of a broken one. */
  readonly size: number;
  /** Content coding or range of the body, where it is not all of the content as it is. */
  readonly coding?: string;
  readonly range?: string;
  /** What the program sent, where it sent something. */
  readonly sent?: { readonly digest: Digest; readonly size: number };
  /** Why it was refused, failed or broke. */
  readonly detail?: string;
}

export type Outcome = Pick<
  RecordedRequest,
  'outcome' | 'status' | 'digest' | 'size' | 'coding' | 'range' | 'sent' | 'detail'
> & {
  /** Absolute address that a redirect names. */
  readonly location?: string;
};

/** One exchange that has begun. */
export interface RecordedExchange {
  end(outcome: Outcome): void;
}

/** Requests that are kept; a program that asks without end is known by the first of them. */
const KEPT = 100_000;

/** Joins the exchanges of programs to requests: a chain of redirects is one. */
export class Recording {
  readonly #requests: RecordedRequest[] = [];
  /** Redirects that nobody followed yet: `machine address` to the indexes of their requests. */
  readonly #open = new Map<string, number[]>();
  #unkept = 0;

  /** `address` is the whole address with its query. */
  begin(
    asked: Pick<RecordedRequest, 'time' | 'machine' | 'process' | 'package' | 'method' | 'url' | 'query'>,
    address: string,
  ): RecordedExchange {
    const waiting = this.#open.get(`${asked.machine} ${address}`);
    const index = waiting?.shift() ?? this.#requests.length;
    if (waiting?.length === 0) this.#open.delete(`${asked.machine} ${address}`);
    const earlier = this.#requests[index];
    if (earlier === undefined && index >= KEPT) {
      this.#unkept += 1;
      return { end: () => undefined };
    }
    const first = earlier ?? asked;
    const base: RecordedRequest = {
      time: first.time,
      machine: first.machine,
      ...(first.process === undefined ? {} : { process: first.process }),
      ...(first.package === undefined ? {} : { package: first.package }),
      method: first.method,
      url: first.url,
      ...(first.query === undefined ? {} : { query: first.query }),
      redirects: earlier === undefined ? [] : [...earlier.redirects, asked.url],
      outcome: 'broken',
      size: 0,
    };
    this.#requests[index] = base;
    return {
      end: ({ location, ...outcome }) => {
        this.#requests[index] = { ...base, ...outcome };
        if (location === undefined) return;
        const key = `${asked.machine} ${location}`;
        const queue = this.#open.get(key) ?? [];
        queue.push(index);
        this.#open.set(key, queue);
      },
    };
  }

  /** In the order in which they began. */
  requests(): readonly RecordedRequest[] {
    return [...this.#requests];
  }

  /** How many more there were than are kept. */
  unkept(): number {
    return this.#unkept;
  }
}
