/** What PostgreSQL itself makes of the first events of a topic in its log, as the rows of `things`: a table expression. */
export function truthOf(topic: string, events: number): string {
  return `(
    select r.key as id, count(*)::int as n, max(r.n)::int as last, sum(r.n)::double precision as sum
    from (
      select l.key, (convert_from(l.value, 'UTF8')::json->>'n')::int as n
      from kappa.log_records l join kappa.topics t on t.id = l.topic_id where t.name = '${topic}'
    ) r
    where r.n < ${events}
    group by r.key
  ) truth`;
}
