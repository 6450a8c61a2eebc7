import { mark, type Schema } from './schema.ts'

/** Statements of one version of the schema. What was released is never changed: a new one follows. */
export type Migration = (schema: Schema) => string

/** Version n is the n-th; each is applied once, in a transaction of its own. */
export const migrations: readonly Migration[] = [
  ({ name, migration, entry, scope, tile, tip, keep }) => `
    CREATE TABLE ${migration} (
      version integer PRIMARY KEY,
      applied_at timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE ${migration} IS '${mark}';

    -- One row a receipt. All but the entry is what it says, or is its hash, in columns to search by.
    CREATE TABLE ${entry} (
      log_index bigint PRIMARY KEY CHECK (log_index >= 0),
      entry bytea NOT NULL,
      receipt_id bytea NOT NULL UNIQUE,
      leaf bytea NOT NULL,
      scope text COLLATE "C" NOT NULL,
      seq bigint NOT NULL CHECK (seq >= 1),
      time bigint NOT NULL,
      kind text NOT NULL,
      verdict text,
      reason_code text,
      principal text,
      action text,
      resource text,
      session_id text,
      -- The decision that an outcome is of, and whether a decision waits for one.
      decision bytea,
      awaits boolean NOT NULL,
      UNIQUE (scope, seq)
    );
    ALTER TABLE ${entry} ALTER COLUMN entry SET STORAGE EXTERNAL;
    CREATE INDEX entry_time ON ${entry} (scope, time, seq);
    CREATE INDEX entry_decision ON ${entry} (decision) WHERE decision IS NOT NULL;
    CREATE INDEX entry_awaits ON ${entry} (log_index) WHERE awaits;

    -- Full tiles of hashes, with the hash over each.
    CREATE TABLE ${tile} (
      level integer NOT NULL,
      index bigint NOT NULL,
      hashes bytea NOT NULL CHECK (length(hashes) = 8192),
      root bytea NOT NULL CHECK (length(root) = 32),
      PRIMARY KEY (level, index)
    );
    ALTER TABLE ${tile} ALTER COLUMN hashes SET STORAGE EXTERNAL;

    CREATE TABLE ${scope} (
      key text COLLATE "C" PRIMARY KEY,
      state text NOT NULL
    ) WITH (fillfactor = 50);

    -- The one row that a batch locks.
    CREATE TABLE ${tip} (
      one boolean PRIMARY KEY DEFAULT true CHECK (one),
      ledger_id text NOT NULL,
      origin text NOT NULL,
      size bigint NOT NULL CHECK (size >= 0),
      edge bytea NOT NULL,
      time bigint NOT NULL,
      key text,
      successor text,
      trust text,
      checkpoint bytea NOT NULL,
      checkpoint_size bigint NOT NULL
    ) WITH (fillfactor = 10);

    CREATE TABLE ${keep} (
      name text COLLATE "C" PRIMARY KEY,
      bytes bytea NOT NULL
    );

    CREATE FUNCTION "${name}".refuse_change() RETURNS trigger LANGUAGE plpgsql AS $refuse$
    BEGIN
      RAISE EXCEPTION 'receipts and tiles are never changed' USING ERRCODE = 'insufficient_privilege';
    END
    $refuse$;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${entry}
      FOR EACH STATEMENT EXECUTE FUNCTION "${name}".refuse_change();
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${tile}
      FOR EACH STATEMENT EXECUTE FUNCTION "${name}".refuse_change();
    REVOKE UPDATE, DELETE, TRUNCATE ON ${entry}, ${tile} FROM PUBLIC, CURRENT_USER;
  `,
]
