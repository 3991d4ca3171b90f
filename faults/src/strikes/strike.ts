/** What can be done to a run. Each name is counted in the summary. */
export type StrikeKind =
  /** SIGKILL of a process; it is started anew after a while. */
  | 'kill'
  /** SIGSTOP in the middle of work and past the session timeout, then SIGCONT: a zombie that believes in its leases. */
  | 'zombie'
  /** All connections of a process are cut, and new ones too for a while. */
  | 'cut'
  /** PostgreSQL carries out a COMMIT, and its answer is lost. */
  | 'lost-answer'
  /** What a process sends and receives is late. */
  | 'delay'
  /** Nothing passes for a while, and nothing is lost: what a process sent arrives late, perhaps after others took over from it. */
  | 'stall'
  /** Connections that pass nothing, while both sides believe in them. */
  | 'half-open'
  /** PostgreSQL dies at once, and is started again. */
  | 'database-kill'
  /** A process joins the replicas and leaves them, again and again. */
  | 'rebalances'
  /** A process's clock is wrong for a while. */
  | 'clock-jump'
  /** SIGKILL of one of three brokers, which is started again. */
  | 'broker-kill'
  /** All connections between the run's processes and a broker are cut, and new ones too for a while. */
  | 'broker-cut'
  /** What goes between the processes and a broker is late. */
  | 'broker-delay'
  /** Nothing passes between the processes and a broker for a while, and nothing is lost. */
  | 'broker-stall'
  /** Connections to a broker that pass nothing, while both sides believe in them. */
  | 'broker-half-open'
  /** A broker carries out what was asked of it (mostly: writes a batch), and its answer is lost. */
  | 'broker-lost-answer';

export interface Strike {
  readonly number: number;
  readonly kind: StrikeKind;
  /** The process it strikes, `database`, or `broker-0` to `broker-2`. */
  readonly target: string;
  /** Milliseconds after the run has warmed up. */
  readonly atMs: number;
  /** How long it lasts. A kill is over at once; this long passes until the process is started anew. */
  readonly forMs: number;
  /** Its size where it has one: the delay each way, how far the clock jumps, how often the visitor comes, how many answers are lost. */
  readonly size: number;
}
