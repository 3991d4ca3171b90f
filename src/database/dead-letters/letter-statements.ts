import { LETTER_COLUMNS } from './letter-row.js';

export type LetterStatements = ReturnType<typeof letterStatements>;

const OPEN = `l.state in ('letter', 'follower')`;
/** $1 owner, $2 topic, $3 partition, $4 key, $5 offset where there is no key. */
const IN_LANE = `l.owner = $1 and l.topic = $2 and l.partition = $3 and ${OPEN}
    and ((l.key is not null and l.key = $4) or ($4::text is null and l.log_offset = $5))`;

/** The statements of the store; `letters` is the quoted, qualified name of its table. */
export function letterStatements(letters: string) {
  return {
    lanes: `
      select distinct l.topic, l.partition, l.key from ${letters} l
      where l.owner = $1 and ${OPEN} and l.key is not null and l.topic || '/' || l.partition = any($2::text[])`,

    discards: `
      select l.topic, l.partition, l.log_offset from ${letters} l
      where l.owner = $1 and l.state = 'discarded' and l.topic || '/' || l.partition = any($2::text[])`,

    countOpen: `select count(*) as open from ${letters} l where l.owner = $1 and ${OPEN}`,

    park: `
      insert into ${letters} (owner, topic, partition, log_offset, key, tenant, type, state, code, message, stack, attempts)
      select $1, aside.*
      from unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::int[]) aside`,

    requested: `
      select l.topic, l.partition, l.key, case when l.key is null then l.log_offset end as log_offset
      from ${letters} l where l.owner = $1 and l.request is not null and ${OPEN}
      order by l.topic, l.partition, l.log_offset`,

    lane: `select ${LETTER_COLUMNS} from ${letters} l where ${IN_LANE} order by l.log_offset limit $6`,

    settle: `
      update ${letters} l set state = $2, request = null, settled_at = clock_timestamp()
      where l.id = any($1::bigint[]) and ${OPEN}`,

    // What was asked for a letter counts for those behind it, one after the other.
    passOn: `
      update ${letters} l set request = 'retry', requested_by = $6, requested_why = $7, requested_at = coalesce(l.requested_at, clock_timestamp())
      where l.id = (select l.id from ${letters} l where ${IN_LANE} order by l.log_offset limit 1)`,

    fail: `
      update ${letters} l
      set state = 'letter', request = null, code = $2, message = $3, stack = $4, attempts = l.attempts + 1, last_at = clock_timestamp()
      where l.id = $1 and ${OPEN}`,

    request: `
      update ${letters} l set request = $2, requested_by = $3, requested_why = $4, requested_at = clock_timestamp()
      where l.id = any($1::bigint[]) and l.state = 'letter'
      returning ${LETTER_COLUMNS}`,

    get: `select ${LETTER_COLUMNS}, ${followers(letters)} from ${letters} l where l.id = any($1::bigint[]) order by l.id`,

    list: `
      select ${LETTER_COLUMNS}, ${followers(letters)} from ${letters} l
      where ($1::text[] is null or l.owner = any($1)) and l.state = any($2::text[]) and l.id > $3
      order by l.id limit $4`,

    ahead: `
      select ${LETTER_COLUMNS} from ${letters} l
      where l.owner = $1 and l.topic = $2 and l.partition = $3 and l.key = $4 and l.log_offset < $5 and ${OPEN}
      order by l.log_offset limit 1`,

    counts: `
      select l.owner, count(*) filter (where l.state = 'letter') as letters, count(*) filter (where l.state = 'follower') as followers,
        count(*) filter (where l.state = 'discarded') as discarded
      from ${letters} l where l.state <> 'applied' and ($1::text[] is null or l.owner = any($1))
      group by l.owner`,

    // The first to discard a record is the one whose reason is kept.
    inherit: `
      insert into ${letters} (owner, topic, partition, log_offset, key, tenant, type, state, code, message, attempts, requested_by, requested_why, requested_at, settled_at, inherited_from)
      select distinct on (l.topic, l.partition, l.log_offset)
        $1, l.topic, l.partition, l.log_offset, l.key, l.tenant, l.type, 'discarded', l.code, l.message, l.attempts,
        l.requested_by, l.requested_why, l.requested_at, l.settled_at, coalesce(l.inherited_from, l.id)
      from ${letters} l join unnest($2::text[], $3::text[]) given(owner, topic) on l.owner = given.owner and l.topic = given.topic
      where l.state = 'discarded'
      order by l.topic, l.partition, l.log_offset, l.id`,

    forget: `delete from ${letters} l where l.owner = $1 and l.state <> 'discarded'`,
  };
}

/** How many wait behind it. */
function followers(letters: string): string {
  return `(
    select count(*) from ${letters} f
    where f.owner = l.owner and f.topic = l.topic and f.partition = l.partition and f.key = l.key and f.log_offset > l.log_offset
      and f.state in ('letter', 'follower') and l.state in ('letter', 'follower')
  ) as followers`;
}
