/** How far one reader of the log has come in a partition, and whose offsets these are. */
export interface PartitionCheckpoint {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  /** A checkpoint is never used on another log. */
  readonly log: { readonly driver: string; readonly cluster: string; readonly incarnation: string };
}

/** What an owner holds after claiming a partition. */
export interface PartitionClaim {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  readonly epoch: number;
}

/** One partition's move in a batch: the compare-and-set of offset and epoch. */
export interface ProgressMove {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

/** A table of progress: a line for each partition of each owner, with `topic`, `partition`, `next_offset` and `owner_epoch`. */
export interface ProgressTable {
  /** Quoted and qualified. */
  readonly name: string;
  /** The column that says whose line it is. */
  readonly owner: string;
}

/**
 * One UPDATE that raises the epochs of lines and returns `columns` of `p`, the offsets to go on from. Parameters: owner, topics,
 * partitions. `only` restricts which owners may be claimed, by other tables (`from`) and a condition (`where`).
 */
export function claimStatement(
  { name, owner }: ProgressTable,
  columns: string,
  only: { readonly from: string; readonly where: string } | null = null,
): string {
  return `
    with locked as materialized (
      select p.${owner}, p.topic, p.partition
      from ${name} p
      join unnest($2::text[], $3::int[]) as wanted(topic, partition) on wanted.topic = p.topic and wanted.partition = p.partition
      where p.${owner} = $1
      order by p.topic, p.partition
      for update of p
    )
    update ${name} as p
    set owner_epoch = p.owner_epoch + 1
    from locked${only ? `, ${only.from}` : ''}
    where p.${owner} = locked.${owner} and p.topic = locked.topic and p.partition = locked.partition${only ? ` and ${only.where}` : ''}
    returning ${columns}`;
}

/** What a batch writes in the statement that moves its progress: either both happen, or neither. */
export interface Writes {
  /** Each is carried out where {@link ADVANCED}. Their parameters are numbered from {@link FIRST_WRITTEN} on. */
  readonly statements: readonly string[];
  readonly values: readonly unknown[];
}

/** A condition on {@link Writes}: all lines move. */
export const ADVANCED = `(select outcome from verdict) = 'advanced'`;
/** The number of the first parameter that is not the move's own: see {@link moveParameters}. */
export const FIRST_WRITTEN = 7;

/** The parameters of {@link advanceStatement} and {@link advanceAndWrite}. */
export function moveParameters(owner: number | string, moves: readonly ProgressMove[]): readonly unknown[] {
  return [
    owner,
    moves.map((move) => move.topic),
    moves.map((move) => move.partition),
    moves.map((move) => move.epoch),
    moves.map((move) => move.from),
    moves.map((move) => move.to),
  ];
}

/**
 * The compare-and-set of offset and epoch, all lines or none: answers `outcome` and how many lines `moved`; where that is not
 * all, somebody else owns one. Parameters: owner, topics, partitions, epochs, from, to. `held` is a condition on a locked line
 * (columns of the table, and `to_offset`) under which nothing moves and the outcome is `held`.
 *
 * Lines are locked in one order by all; what is compared is what stands there once the lock is held.
 */
export function advanceStatement(table: ProgressTable, held: string | null = null): string {
  return `${moving(table, held)}
    select outcome, (select count(*) from moved) as moved from verdict`;
}

/**
 * The same with what else is written, so that a batch is one round trip and needs no transaction around it. What is not all of
 * the lines would be an error here, for there is nobody to roll back.
 */
export function advanceAndWrite(table: ProgressTable, held: string | null, statements: Writes['statements']): string {
  const written = statements.map((statement, at) => `, written_${at} as (${statement})`).join('');
  return `${moving(table, held)}${written}
    select case
      when outcome <> 'advanced' or (select count(*) from moved) = cardinality($2::text[]) then outcome
      else (outcome || ' in part')::int::text
    end as outcome
    from verdict`;
}

function moving({ name, owner }: ProgressTable, held: string | null): string {
  return `
    with given as (
      select * from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[]) as line(topic, partition, epoch, from_offset, to_offset)
    ), locked as materialized (
      select p.*, given.epoch, given.from_offset, given.to_offset
      from ${name} p
      join given on given.topic = p.topic and given.partition = p.partition
      where p.${owner} = $1
      order by p.topic, p.partition
      for update of p
    ), verdict as (
      select case
        when count(*) <> cardinality($2::text[]) or bool_or(next_offset <> from_offset or owner_epoch <> epoch) then 'fenced'
        ${held ? `when bool_or(coalesce(${held}, false)) then 'held'` : ''}
        else 'advanced'
      end as outcome
      from locked
    ), moved as (
      update ${name} as p
      set next_offset = given.to_offset
      from given, verdict
      where verdict.outcome = 'advanced' and p.${owner} = $1 and p.topic = given.topic and p.partition = given.partition
        and p.owner_epoch = given.epoch and p.next_offset = given.from_offset
      returning 1
    )`;
}
