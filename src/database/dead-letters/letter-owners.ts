/** An owner of dead letters, as people know it. */
export interface LetterOwnerInfo {
  /** The name by which it is asked for: `fines`. */
  readonly name: string;
  /** `fines v1 build 2` */
  readonly label: string;
  /**
   * `now`: what is asked for is carried out at once; `later`: when its work goes on, as `remark` says; `never`: it has ended.
   */
  readonly settles: 'now' | 'later' | 'never';
  readonly remark: string | null;
}

/** Owners of one kind. Whatever moves over records and may set them aside has one of these beside it. */
export interface LetterOwners {
  /** What stands before the colon of an owner: `build`. */
  readonly kind: string;
  /** Those that exist, by owner. */
  all(): Promise<ReadonlyMap<string, LetterOwnerInfo>>;
  /** Runs `work` while owners that no process runs are run from here, as far as their code is loaded. */
  withHelp<T>(owners: readonly string[], work: () => Promise<T>): Promise<T>;
}
