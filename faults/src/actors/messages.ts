/** What a process of a run is told. */
export type Order =
  /** End what is under way, say so, and end. */
  | { readonly do: 'finish' }
  /** Set the clock so much ahead of the machine's; 0 puts it right. */
  | { readonly do: 'clock'; readonly aheadMs: number }
  /** Open and close the application so often: members of groups that come and go. */
  | { readonly do: 'come-and-go'; readonly times: number };

/** What it says. */
export type Word =
  | { readonly said: 'ready' }
  | { readonly said: 'gone' }
  /** Something happened that no fault excuses. */
  | { readonly said: 'problem'; readonly text: string };

/** How a process of a run is told who it is and where all else is: one environment variable. */
export interface Part {
  readonly name: string;
  /** 1, 2, 3 …: which process of that name, as killed ones come again. */
  readonly incarnation: number;
  readonly seed: number;
  readonly folder: string;
  readonly databaseUrl: string;
  /** Kafka carries the log when there are any. */
  readonly brokers: readonly string[];
}

export const PART = 'KAPPA_FAULTS_PART';
