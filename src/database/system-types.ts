import pg from 'pg';

const INT8 = 20;
const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;
const DATE = 1082;

/**
 * How our own connections read values: `int8` as a number (offsets, versions and counts stay below 2^53), times as text (a JS
 * Date drops microseconds). Given per connection, so that the application's own use of `pg` is left alone.
 */
export const systemTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format !== 'binary') {
      if (oid === INT8) return Number;
      if (oid === TIMESTAMP || oid === TIMESTAMPTZ || oid === DATE) return (text: string) => text;
    }
    return pg.types.getTypeParser(oid, format) as (value: string) => unknown;
  }) as pg.CustomTypesConfig['getTypeParser'],
};
