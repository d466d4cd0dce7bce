"""The schema of each revision is the one it was released with.

The hash is over the schema as the database reports it. If one differs, a migration was changed that
stores have already run: write a new revision instead.
"""

from __future__ import annotations

import hashlib
import json

import pytest

from calib.store.database.database import Database
from calib.store.schema import revision as schema
from support import raw

SQLITE = {
    "0001": "762b2df3333e2d67b1060136e4cae19ac457add1e83f8803cfe94eb2bf41e3a8",
    "0002": "63eb2b230edb06846dec6b07f79658bf929dcb98ab1dda000f0fc5fb8116fa99",
    "0003": "cb7ee4caa979f86da8b75281454f7c6cf716f1f376a70746920f5241c9d88160",
    "0004": "1b9f5c259ce7821602b4e6a89b1730a1ef407923561a0e8e09235c8e7ff685c1",
    "0005": "e46aa8ee87229b6e23e76c9a454ea4b2adc9502204537913d5c3b837c6f672a5",
    "0006": "094df918fd6a3f1a2f359a7541300deacb52a88616d99764250bf4e83517acbd",
    "0007": "8f5c417720bf662d6ca8054f2803ff250b761799bb5b932b9887a6a36a00e668",
    "0008": "d8651562fe54a8f2e0020e896423d42af248fad26d72138b15f4365b5727bd06",
    "0009": "b368dee06d6cfe58432acbf7498f26557ee9b2ff94a2306c4c63f9230df931f5",
    "0010": "9c4af3343f2f8491203c776c8bcf6235efd09b8feef65707021af1ecede6be36",
    "0011": "57b7ac57712c40d5aa8a79ee95ebd4b4b17b46da50733c307ca47307fe413f82",
    "0012": "4ca47191363438e27964feffc92ba1fdfdd0355d2eeef37b5a58fae3f5145a64",
    "0013": "c07d3baea80a78012bb9f43c13a4b0ca68d74252bd91608073ae159788a6ca9d",
    "0014": "9a19e2513b4f395e8843d2f9990ed28f6e5489d00114385f88ae62a457405263",
    "0015": "42b1621dc116a181a646fc6455b0d9a10e4d1c4f25c1f92d325ccb0532cef8ea",
    "0016": "f99fe83918aaa2c9f9c2f3163d8ff2857e7c829707ac00c40b50e11b84ae42fa",
}
"""The SHA-256 of the schema at each revision."""
POSTGRES = {
    "0001": "7dd86706832efeb5867d713553a6dc950f57a008b66c470d6c8762d81ed1f5bb",
    "0002": "bafa855094d6004bdd4eb56a24dc8a02aefff4726d558c1c03ad1f7eb4664965",
    "0003": "03b85892a4aec2f757ace22e178026ae9e79fd76a65c133c7438713372620181",
    "0004": "4dc8c3feb207015e16e73c2a9e6fe9f7b1cb8ba434a7c3f011ea93179c45d1ef",
    "0005": "2e9322245f0b05d8a58b3054de4c60f35ca7f4a46b2fb1b1d0025b85a726bff1",
    "0006": "077276134fb7c748d529c4374fb663994a8b0c17b877dd7eed65610afbbd76b1",
    "0007": "d3619254e779f16ef978a2927ce105879e5ed58d0cffae5a083f2fd5ddf273c7",
    "0008": "8a293879dea3f6734eb9ca5d0aefd8decaa6fc59cd7b69c4942f173164b4c20b",
    "0009": "580c304d31ad4642d88dd01cf6a7fc024bf964a3a6a716e7f1a43c6aa7b0e83c",
    "0010": "df05a76f9daa8589bf341b4554e197bd555d9c0a8ef22d29fb17ce6bb861b1f9",
    "0011": "8ab9bc1f7005712bd4482c92e9de1d9f639ffda2611972720568ae0c0a22880d",
    "0012": "93278209283892d95ec4d7b807354ae43e0c291f16b377ae1c8969d3c241357b",
    "0013": "bc01dd76f8a194afd99ad4aea5098cebc1527e93d9722af127f08e1f5327fba4",
    "0014": "ac824de48dae597c614afb32d18ed245b55ffe4cafc56bbf85c46170fdf8502e",
    "0015": "8c389b0a67681ab1879741daabe9bf131d337d3361db9c8886d5f38dc354a701",
    "0016": "092fbbe51a59599224dc46c3d582ca8de01dc9937d0beed68d589aee5a65a3ae",
}
"""The same on Postgres."""

SQLITE_SCHEMA = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master",
    "SELECT * FROM pragma_application_id",
    "SELECT * FROM pragma_user_version",
)
POSTGRES_SCHEMA = (
    # Tables, views, sequences, indexes
    "SELECT relname, relkind, relpersistence, relrowsecurity, reloptions, "
    "pg_get_viewdef(CASE WHEN relkind IN ('v', 'm') THEN oid END) "
    "FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    # Columns, in order
    "SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname, "
    "format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, "
    "a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid) "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') "
    "AND a.attnum > 0 AND NOT a.attisdropped",
    # Constraints; NOT NULL ('n', from Postgres 18 on) stands with the columns
    "SELECT conrelid::regclass::text, conname, contype, condeferrable, condeferred, "
    "convalidated, pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid) "
    "FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname, pg_get_functiondef(oid) FROM pg_proc "
    "WHERE pronamespace = 'public'::regnamespace",
    "SELECT seqrelid::regclass::text, seqtypid::regtype::text, seqstart, seqincrement, seqmax, "
    "seqmin, seqcache, seqcycle FROM pg_sequence",
    "SELECT typname, typtype FROM pg_type WHERE typnamespace = 'public'::regnamespace "
    "AND typtype IN ('d', 'e', 'r', 'm')",
)


def schema_rows(place: str) -> list[list[str]]:
    """The schema as the database reports it, each kind of object sorted."""
    questions = POSTGRES_SCHEMA if raw.is_postgres(place) else SQLITE_SCHEMA
    return [sorted(map(repr, raw.execute(place, question))) for question in questions]


def schema_hash(place: str) -> str:
    return hashlib.sha256(json.dumps(schema_rows(place)).encode()).hexdigest()


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_the_schema_of_a_revision_never_changes(
    place: str, database: Database, revision: str
) -> None:
    schema.migrate(database, revision)
    expected = POSTGRES if raw.is_postgres(place) else SQLITE
    assert schema_hash(place) == expected[revision]


def test_the_hash_covers_every_table_column_index_and_trigger(
    place: str, database: Database
) -> None:
    """One change of each kind changes the hash."""
    schema.migrate(database)
    hashes = {schema_hash(place)}
    changes = [
        "CREATE INDEX extra ON detector (serial)",
        "ALTER TABLE detector ADD COLUMN extra TEXT",
    ]
    if raw.is_postgres(place):
        changes += [
            "ALTER TABLE detector ALTER COLUMN extra SET DEFAULT 'x'",
            "ALTER TABLE detector ALTER COLUMN extra TYPE VARCHAR(9)",
            "ALTER TABLE detector ADD CONSTRAINT extra_short CHECK (length(extra) < 9)",
            "ALTER TABLE detector DISABLE TRIGGER USER",
            "CREATE SEQUENCE extra_number",
            "CREATE FUNCTION extra_one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ]
    else:
        changes += [
            "CREATE TRIGGER extra_trigger AFTER INSERT ON detector BEGIN SELECT 1; END",
            "PRAGMA user_version = 7",
        ]
    for change in changes:
        before = len(hashes)
        raw.execute(place, change)
        hashes.add(schema_hash(place))
        assert len(hashes) == before + 1, change
