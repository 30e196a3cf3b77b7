"""
Statements that a generator makes, and what others answer to them.

A small adversarial lake: nulls, ties, month edges, empty lists, odd texts, several files a partition. Each statement is
written three times from one tree, for us, for DuckDB over the same Parquet, and, where the dialect allows, for PostgreSQL
over the same rows as flat tables. Rows are compared as sets with copies: what is ordered is ordered wholly, so that a
limit means the same everywhere.
"""

import csv
import io
import json
import math
import random
import re
import subprocess
from pathlib import Path

NULL = "\u2400"
MARK = "#judge"
BEGIN_MS = 1767139200000  # 2025-12-31
DAY_MS = 86_400_000

# Name of a column, how we and DuckDB write it, type.
COLUMNS = {
    "authentication": [
        ("uid", "metadata.uid", "text"),
        ("time", "time", "time"),
        ("status_id", "status_id", "int"),
        ("severity_id", "severity_id", "int"),
        ("activity_id", "activity_id", "int"),
        ("who", "actor.user.uid", "text"),
        ("name", "actor.user.name", "text"),
        ("whom", "user.uid", "text"),
        ("session", "actor.session.uid", "text"),
        ("ip", "src_endpoint.ip", "text"),
        ("is_mfa", "is_mfa", "bool"),
        ("message", "message", "text"),
        ("unmapped", "unmapped", "json"),
    ],
    "user_access": [
        ("uid", "metadata.uid", "text"),
        ("time", "time", "time"),
        ("status_id", "status_id", "int"),
        ("severity_id", "severity_id", "int"),
        ("activity_id", "activity_id", "int"),
        ("who", "actor.user.uid", "text"),
        ("whom", "user.uid", "text"),
        ("message", "message", "text"),
        ("unmapped", "unmapped", "json"),
        ("privileges", "privileges", "list"),
    ],
    "entity_management": [
        ("uid", "metadata.uid", "text"),
        ("time", "time", "time"),
        ("status_id", "status_id", "int"),
        ("severity_id", "severity_id", "int"),
        ("activity_id", "activity_id", "int"),
        ("who", "actor.user.uid", "text"),
        ("entity", "entity.uid", "text"),
        ("message", "message", "text"),
        ("unmapped", "unmapped", "json"),
    ],
}
CLASS_UID = {"authentication": 3002, "user_access": 3005, "entity_management": 3004}
USERS = ["u1", "u2", "u3", "U1", "ü", "x'y", "", " u1", "100%", "a_b"]
TEXTS = ["one", "two", "", "it's", "50% off", "a\\b", 'say "hi"', "Ünï", "line", "ONE", "t w o", "null"]
KEYS = ["k", "n", "deep", "none"]


def events(seed):
    """The lines of the lake, in files."""
    random_ = random.Random(f"events {seed}")
    files = [[], [], []]
    edges = [1769903999999, 1769904000000, 1769904000001, 1767225599999, 1767225600000, 1772323199999, 1772323200000]
    for number in range(90):
        table = random_.choice(list(CLASS_UID))
        time = random_.choice(edges) if random_.random() < 0.25 else BEGIN_MS + random_.randrange(70) * DAY_MS + random_.choice(
            [0, 0, 1, 999, 43_200_000, random_.randrange(DAY_MS)]
        )
        event = {"class_uid": CLASS_UID[table], "metadata": {"uid": f"e{number}"}, "time": time}

        def maybe(value, share=0.75):
            return value() if random_.random() < share else None

        put = {
            "status_id": maybe(lambda: random_.choice([1, 1, 2, 99])),
            "severity_id": maybe(lambda: random_.randrange(0, 7)),
            "activity_id": maybe(lambda: random_.randrange(0, 5)),
            "message": maybe(lambda: random_.choice(TEXTS)),
        }
        user = {"uid": maybe(lambda: random_.choice(USERS)), "name": maybe(lambda: random_.choice(TEXTS), 0.4)}
        actor = {"user": {k: v for k, v in user.items() if v is not None}}
        session = maybe(lambda: random_.choice(["s1", "s2", "s3"]), 0.5)
        if session:
            actor["session"] = {"uid": session}
        if random_.random() < 0.9:
            put["actor"] = actor
        unmapped = {}
        for key in KEYS[:3]:
            if random_.random() < 0.6:
                unmapped[key] = random_.choice(["v", "w", "", "5", 5, 7, True, None]) if key != "deep" else {"x": random_.choice(["v", 1])}
        if random_.random() < 0.8:
            put["unmapped"] = unmapped
        if table == "authentication":
            put["is_mfa"] = maybe(lambda: random_.random() < 0.5)
            put["user"] = maybe(lambda: {"uid": random_.choice(USERS)})
            put["src_endpoint"] = maybe(lambda: {"ip": random_.choice(["192.0.2.1", "192.0.2.2", "2001:db8::1"])})
        if table == "user_access":
            put["user"] = maybe(lambda: {"uid": random_.choice(USERS)})
            put["privileges"] = maybe(lambda: random_.sample(["admin", "reader", "writer", "x'y"], random_.randrange(0, 4)), 0.85)
        if table == "entity_management":
            put["entity"] = maybe(lambda: {"uid": random_.choice(["x", "y", "z"])})
        event.update({k: v for k, v in put.items() if v is not None})
        random_.choice(files).append(event)
    return files


class Writer:
    """A statement in one dialect: `{table.column}` and the like are put in by name."""

    def __init__(self, dialect):
        self.dialect = dialect

    def column(self, alias, table, name):
        path = next(path for known, path, _ in COLUMNS[table] if known == name)
        if self.dialect == "postgres":
            return f'{alias}."{name}"'
        if self.dialect == "duckdb":
            return ".".join([alias] + [f'"{part}"' for part in path.split(".")])
        return f"{alias}.{path}"

    def json(self, text, key):
        if self.dialect == "postgres":
            return f"{text}::jsonb->>'{key}'"
        return f"{text}->>'{key}'"

    def ms(self, time):
        if self.dialect == "postgres":
            return f"floor(extract(epoch from {time}) * 1000)::bigint"
        return f"epoch_ms({time})"

    def time(self, ms):
        seconds, rest = divmod(ms, 1000)
        import datetime

        at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return f"timestamptz '{at:%Y-%m-%d %H:%M:%S}.{rest:03d}+00'"


class Refused(Exception):
    """A shape that a dialect does not have."""


class Maker:
    """One statement from a seed; the same choices for each dialect."""

    def __init__(self, seed, dialect):
        self.random = random.Random(f"statement {seed}")
        self.w = Writer(dialect)
        self.names = 0

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def alias(self):
        self.names += 1
        return f"t{self.names}"

    def of(self, table, *types):
        return self.random.choice([name for name, _, kind in COLUMNS[table] if kind in types])

    def text(self):
        return "'" + self.pick(*USERS, *TEXTS).replace("'", "''") + "'"

    def scalar(self, scope, kind):
        """An expression of a type over the tables in scope."""
        alias, table = self.random.choice(scope)
        column = lambda *types: self.w.column(alias, table, self.of(table, *types))
        if kind == "int":
            return self.pick(
                lambda: column("int"),
                lambda: column("int"),
                lambda: f"({column('int')} + {self.random.randrange(0, 9)})",
                lambda: f"({column('int')} * {column('int')} - {self.random.randrange(0, 9)})",
                lambda: f"coalesce({column('int')}, {self.random.randrange(-2, 5)})",
                lambda: f"case when {self.condition(scope, 1)} then {column('int')} else {self.random.randrange(0, 5)} end",
                lambda: f"length({column('text')})",
                lambda: f"nullif({column('int')}, {self.random.randrange(0, 4)})",
                lambda: f"cast(extract({self.pick('year', 'month', 'day', 'hour', 'dow', 'doy')} from {column('time')}{self.zone()}) as bigint)",
                lambda: f"abs({column('int')} - {self.random.randrange(0, 9)})",
            )()
        if kind == "text":
            return self.pick(
                lambda: column("text"),
                lambda: column("text"),
                lambda: f"lower({column('text')})",
                lambda: f"upper({column('text')})",
                lambda: f"{column('text')} || {self.text()}",
                lambda: f"coalesce({column('text')}, {self.text()})",
                lambda: f"substr({column('text')}, {self.random.randrange(1, 4)}, {self.random.randrange(0, 4)})",
                lambda: f"nullif(trim({column('text')}), '')",
                lambda: f"replace({column('text')}, {self.text()}, 'r')" if False else f"replace({column('text')}, 'o', 'r')",
                lambda: self.w.json(column("json"), self.pick(*KEYS)) if self.w.dialect != "postgres" else "(" + self.w.json(column("json"), self.random.choice(KEYS)) + ")",
                lambda: f"cast({column('int')} as varchar)",
                lambda: f"cast(cast({column('time')}{self.zone()} as date) as varchar)",
                lambda: f"case {column('int')} when 1 then 'one' when 2 then {self.text()} end",
            )()
        if kind == "ms":
            return self.pick(
                lambda: self.w.ms(column("time")),
                lambda: self.w.ms(f"date_trunc('{self.pick('hour', 'day', 'week', 'month', 'quarter', 'year')}', {column('time')}{self.zone()})"),
                lambda: self.w.ms(f"({column('time')}{self.zone()} + interval '{self.random.randrange(1, 40)} {self.pick('minutes', 'hours', 'days')}')"),
            )()
        return f"({self.condition(scope, 1)})"

    def zone(self):
        """PostgreSQL reads instants in the zone of the session, which is UTC."""
        return ""

    def condition(self, scope, depth=2):
        if depth and self.chance(0.35):
            left, right = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
            return self.pick(f"({left} and {right})", f"({left} or {right})", f"not ({left})")
        alias, table = self.random.choice(scope)
        column = lambda *types: self.w.column(alias, table, self.of(table, *types))
        op = self.pick("=", "<>", "<", "<=", ">", ">=")
        json_ = lambda: self.w.json(column("json"), self.pick(*KEYS))
        return self.pick(
            lambda: f"{column('int')} {op} {self.random.randrange(0, 7)}",
            lambda: f"{column('text')} {op} {self.text()}",
            lambda: f"{column('text')} {self.pick('in', 'not in')} ({self.text()}, {self.text()}, {self.text()})",
            lambda: f"{column('int')} {self.pick('in', 'not in')} ({self.random.randrange(0, 5)}, {self.random.randrange(0, 5)}, null)",
            lambda: f"{column('text')} {self.pick('like', 'not like')} {self.pick(chr(39) + 'u%' + chr(39), chr(39) + '%o%' + chr(39), chr(39) + '_1' + chr(39))}",
            lambda: f"{column('int')} between {self.random.randrange(0, 3)} and {self.random.randrange(1, 6)}",
            lambda: f"{column('int', 'text', 'time', 'json')} is {self.pick('', 'not ')}null",
            lambda: f"{column('text')} is {self.pick('', 'not ')}distinct from {self.text()}",
            lambda: f"{column('int')} is {self.pick('', 'not ')}distinct from {column('int')}",
            lambda: f"{column('time')} {op} {self.w.time(self.random.choice([1769904000000, 1767225600000, BEGIN_MS + 40 * DAY_MS]))}",
            lambda: f"{json_()} {op} {self.pick(chr(39) + 'v' + chr(39), chr(39) + '5' + chr(39))}",
            lambda: f"{json_()} is {self.pick('', 'not ')}null",
            lambda: f"{json_()} in ('v', 'w', '5')",
            lambda: f"{column('text')} = {column('text')}",
        )()

    def source(self):
        table = self.random.choice(list(COLUMNS))
        return self.alias(), table

    def subquery(self, scope):
        """A condition with a subquery, correlated more often than not."""
        alias, table = self.source()
        inner = [(alias, table)]
        outer_alias, outer_table = self.random.choice(scope)
        kind = self.pick("text", "int")
        mine = self.w.column(alias, table, self.of(table, kind))
        theirs = self.w.column(outer_alias, outer_table, self.of(outer_table, kind))
        link = f"{mine} = {theirs}"
        if self.chance(0.4):
            link += f" and {self.w.column(alias, table, 'time')} <= {self.w.column(outer_alias, outer_table, 'time')}"
        where = f"{link} and {self.condition(inner, 1)}" if self.chance(0.7) else link
        value = self.pick("int", "text")
        x = self.w.column(outer_alias, outer_table, self.of(outer_table, value))
        y = self.w.column(alias, table, self.of(table, value))
        not_ = self.pick("", "not ")
        return self.pick(
            lambda: f"{not_}exists (select 1 from {table} {alias} where {where})",
            lambda: f"{x} {not_}in (select {y} from {table} {alias} where {where})",
            lambda: f"{x} {not_}in (select {y} from {table} {alias} where {self.condition(inner, 1)})",
            lambda: f"(select count(*) from {table} {alias} where {link}) {self.pick('=', '>', '<')} {self.random.randrange(0, 4)}",
            lambda: f"{not_}exists (select count(*) from {table} {alias} where {link})",
            lambda: f"{not_}exists (select {y} from {table} {alias} where {link} group by {y} having count(*) > 1)",
        )()

    def filtered(self, scope):
        conditions = [self.condition(scope)] if self.chance(0.7) else []
        if self.chance(0.35):
            conditions.append(self.subquery(scope))
        if not conditions:
            return ""
        return " where " + self.pick(" and ", " and ", " or ").join(conditions)

    def ordered(self, count, limit=True):
        order = ", ".join(f"{at} {self.pick('', 'desc ')}nulls {self.pick('first', 'last')}" for at in range(1, count + 1))
        tail = f" limit {self.random.randrange(1, 30)}" if limit and self.chance(0.4) else ""
        if tail and self.chance(0.3):
            tail += f" offset {self.random.randrange(0, 5)}"
        return f" order by {order}{tail}"

    def items(self, scope, count, kinds=("int", "text", "ms", "bool")):
        return [self.scalar(scope, self.pick(*kinds)) for _ in range(count)]

    # Shapes.

    def plain(self):
        scope = [self.source()]
        items = self.items(scope, self.random.randrange(1, 4))
        if self.chance(0.3):
            items.append(self.value(scope))
        distinct = "distinct " if self.chance(0.3) else ""
        named = ", ".join(f"{item} as c{at}" for at, item in enumerate(items))
        alias, table = scope[0]
        return f"select {distinct}{named} from {table} {alias}{self.filtered(scope)}{self.ordered(len(items))}"

    def value(self, scope):
        """A subquery that is selected."""
        alias, table = self.source()
        outer_alias, outer_table = scope[0]
        kind = self.pick("text", "int")
        link = f"{self.w.column(alias, table, self.of(table, kind))} = {self.w.column(outer_alias, outer_table, self.of(outer_table, kind))}"
        x = self.w.column(outer_alias, outer_table, self.of(outer_table, "int"))
        y = self.w.column(alias, table, self.of(table, "int"))
        return self.pick(
            lambda: f"(select count(*) from {table} {alias} where {link})",
            lambda: f"(select max({y}) from {table} {alias} where {link})",
            lambda: f"(select coalesce(sum({y}), -1) from {table} {alias} where {link})",
            lambda: f"exists (select 1 from {table} {alias} where {link})",
            lambda: f"({x} in (select {y} from {table} {alias} where {link}))",
            lambda: f"({x} not in (select {y} from {table} {alias}))",
        )()

    def aggregate(self, scope):
        alias, table = self.random.choice(scope)
        number = self.w.column(alias, table, self.of(table, "int"))
        text = self.w.column(alias, table, self.of(table, "text"))
        filter_ = f" filter (where {self.condition(scope, 1)})" if self.chance(0.3) else ""
        return self.pick(
            lambda: f"count(*){filter_}",
            lambda: f"count({text}){filter_}",
            lambda: f"count(distinct {text}){filter_}",
            lambda: f"count(distinct {number})",
            lambda: f"sum({number}){filter_}",
            lambda: f"min({text}){filter_}",
            lambda: f"max({number}){filter_}",
            lambda: f"avg({number}){filter_}",
            lambda: f"string_agg({text}, ',' order by {text})",
            lambda: self.w.ms(f"max({self.w.column(alias, table, 'time')})"),
            lambda: f"count(*) filter (where {self.condition(scope, 1)})",
        )()

    def grouped(self):
        scope = [self.source()]
        alias, table = scope[0]
        keys = self.items(scope, self.random.randrange(1, 3), ("int", "text"))
        aggregates = [self.aggregate(scope) for _ in range(self.random.randrange(1, 4))]
        items = ", ".join(f"{item} as c{at}" for at, item in enumerate(keys + aggregates))
        by = ", ".join(str(at + 1) for at in range(len(keys)))
        having = f" having count(*) > {self.random.randrange(0, 3)}" if self.chance(0.3) else ""
        return f"select {items} from {table} {alias}{self.filtered(scope)} group by {by}{having}{self.ordered(len(keys) + len(aggregates))}"

    def total(self):
        scope = [self.source()]
        alias, table = scope[0]
        aggregates = [self.aggregate(scope) for _ in range(self.random.randrange(1, 4))]
        items = ", ".join(f"{item} as c{at}" for at, item in enumerate(aggregates))
        return f"select {items} from {table} {alias}{self.filtered(scope)}"

    def sets(self):
        """Grouping sets over columns, also where a filter makes one constant."""
        alias, table = self.source()
        scope = [(alias, table)]
        names = self.random.sample([name for name, _, kind in COLUMNS[table] if kind in ("int", "text")], 2)
        columns = [self.w.column(alias, table, name) for name in names]
        a, b = columns
        sets = self.pick(f"rollup ({a}, {b})", f"cube ({a}, {b})", f"grouping sets (({a}), ({b}), ())", f"rollup ({a})")
        used = columns if b in sets else [a]
        where = self.filtered(scope)
        if self.chance(0.5):
            kind = next(kind for name, _, kind in COLUMNS[table] if name == names[0])
            value = "1" if kind == "int" else "'u1'"
            where = f" where {a} = {value}"
        items = ", ".join(f"{item} as c{at}" for at, item in enumerate(used + ["count(*)", f"grouping({a})"]))
        return f"select {items} from {table} {alias}{where} group by {sets}{self.ordered(len(used) + 2)}"

    def window(self):
        alias, table = self.source()
        scope = [(alias, table)]
        key = self.w.column(alias, table, self.of(table, "text", "int"))
        number = self.w.column(alias, table, self.of(table, "int"))
        uid = self.w.column(alias, table, "uid")
        time = self.w.column(alias, table, "time")
        partition = f"partition by {key} " if self.chance(0.7) else ""
        order = f"order by {time} {self.pick('', 'desc')}, {uid}"
        rows = f"rows between {self.pick('unbounded', '2')} preceding and {self.pick('current row', '1 following')}"
        function = self.pick(
            lambda: f"row_number() over ({partition}{order})",
            lambda: f"rank() over ({partition}order by {number} nulls last)",
            lambda: f"dense_rank() over ({partition}order by {number} desc nulls first)",
            lambda: f"sum({number}) over ({partition}{order} {rows})",
            lambda: f"count({number}) filter (where {self.condition(scope, 1)}) over ({partition}{order} {rows})",
            lambda: f"lag({number}) over ({partition}{order})",
            lambda: f"lead({uid}, 2) over ({partition}{order})",
            lambda: f"first_value({uid}) over ({partition}{order})",
            lambda: f"max({number}) over ({partition}{order})",
            lambda: f"count(*) over ({partition.strip()})",
            lambda: f"ntile(3) over ({order})",
        )()
        return f"select {uid} as c0, {function} as c1 from {table} {alias}{self.filtered(scope)}{self.ordered(2)}"

    def join(self):
        one, other = self.source(), self.source()
        scope = [one, other]
        kind = self.pick("text", "text", "int")
        left = self.w.column(*one, self.of(one[1], kind))
        right = self.w.column(*other, self.of(other[1], kind))
        on = f"{left} = {right}"
        if self.chance(0.4):
            a, b = self.w.column(*one, "time"), self.w.column(*other, "time")
            span = f"interval '{self.random.randrange(1, 20)} {self.pick('hours', 'days')}'"
            on += self.pick(f" and {b} between {a} and {a} + {span}", f" and {b} - {a} < {span} and {b} >= {a}", f" and {b} > {a}")
        if self.chance(0.2):
            on += f" and {self.condition(scope, 1)}"
        how = self.pick("join", "left join", "right join", "full join", "join")
        if how == "full join":
            on = f"{left} = {right}"
        items = self.items([one], 1) + self.items([other], 1)
        if self.chance(0.4):
            items = [self.aggregate([one]), self.aggregate([other])]
            named = ", ".join(f"{item} as c{at}" for at, item in enumerate(items))
            return f"select {named} from {one[1]} {one[0]} {how} {other[1]} {other[0]} on {on}{self.filtered(scope)}"
        named = ", ".join(f"{item} as c{at}" for at, item in enumerate(items))
        return f"select {named} from {one[1]} {one[0]} {how} {other[1]} {other[0]} on {on}{self.filtered(scope)}{self.ordered(2)}"

    def using(self):
        one, other = self.source(), self.source()
        key = self.pick("who", "status_id")
        a = f"select {self.w.column(*one, key)} as k, count(*) as n from {one[1]} {one[0]} group by 1"
        b = f"select {self.w.column(*other, key)} as k, count(*) as m from {other[1]} {other[0]}{self.filtered([other])} group by 1"
        how = self.pick("join", "left join", "right join", "full join")
        items = self.pick("k, n, m", "coalesce(k, k) as k2, n, m", "*")
        return f"with a as ({a}), b as ({b}) select {items} from a {how} b using (k) order by 1 nulls last, 2 nulls last, 3 nulls last"

    def union(self):
        one, other = self.source(), self.source()
        kinds = [self.pick("int", "text") for _ in range(self.random.randrange(1, 3))]
        side = lambda source: f"select {', '.join(self.scalar([source], kind) + f' as c{at}' for at, kind in enumerate(kinds))} from {source[1]} {source[0]}{self.filtered([source])}"
        op = self.pick("union", "union all", "intersect", "except", "intersect all", "except all")
        return f"{side(one)} {op} {side(other)}{self.ordered(len(kinds))}"

    def list(self):
        alias = self.alias()
        scope = [(alias, "user_access")]
        uid, items = self.w.column(alias, "user_access", "uid"), self.w.column(alias, "user_access", "privileges")
        return self.pick(
            lambda: f"select {uid} as c0, l.p as c1 from user_access {alias} cross join unnest({items}) as l(p){self.filtered(scope)}{self.ordered(2)}",
            lambda: f"select l.p as c0, count(*) as c1 from user_access {alias} cross join unnest({items}) as l(p){self.filtered(scope)} group by l.p{self.ordered(2)}",
        )()

    def derived(self):
        inner = self.pick(self.grouped, self.window, self.plain, self.union)()
        inner = re.sub(r" limit \d+( offset \d+)?$", "", inner)
        return f"with q as ({inner}) select c0, count(*) as n from q group by c0{self.ordered(2)}"

    def make(self):
        shape = self.pick(
            self.plain, self.plain, self.grouped, self.grouped, self.total, self.sets, self.window, self.window,
            self.join, self.join, self.join, self.using, self.union, self.union, self.list, self.derived,
        )
        return shape()


def statement(seed, dialect):
    return Maker(seed, dialect).make()


def plain(value):
    """A value as all three say it."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    text = str(value)
    if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text) and ("." in text or "e" in text):
        return number(float(text))
    return {"t": "true", "f": "false"}.get(text, text) if text in ("t", "f") else text


def number(value):
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.9g}"


def ours(auditlake, lake, statements, options=()):
    """Rows or None (an error) for each statement."""
    script = "\\pset null " + NULL + "\n"
    for at, sql in enumerate(statements):
        script += f"select '{MARK}{at}' as marker;\n{sql};\n"
    script += f"select '{MARK}{len(statements)}' as marker;\n"
    run = subprocess.run(
        [auditlake, "sql", "--lake", lake, "--format", "csv", "--keep-going", *options, "-f", "-"],
        input=script, capture_output=True, text=True, encoding="utf-8",
    )
    parts = re.split(rf"^marker\n{MARK}\d+\n", run.stdout, flags=re.M)[1:]
    assert len(parts) == len(statements) + 1, f"{len(parts)} parts of {len(statements)}\n{run.stderr[-2000:]}"
    answers = []
    for part in parts[:-1]:
        rows = list(csv.reader(io.StringIO(part)))
        answers.append(None if not rows else sorted(tuple(plain(v) for v in row) for row in rows[1:]))
    return answers, run.stderr


class DuckDb:
    def __init__(self, lake):
        import duckdb

        self.connection = duckdb.connect()
        self.connection.execute("set timezone = 'UTC'")
        for table in COLUMNS:
            self.connection.execute(f"create view {table} as select * from read_parquet('{lake}/{table}/event_month=*/*.parquet', hive_partitioning = false)")

    def answer(self, sql):
        try:
            rows = self.connection.execute(sql).fetchall()
        except Exception as error:  # noqa: BLE001 - whatever it says, it is no answer
            return None, str(error).splitlines()[0]
        return sorted(tuple(plain(v) for v in row) for row in rows), None

    def flat(self):
        """The rows of each table with their columns under flat names, for PostgreSQL."""
        for table, columns in COLUMNS.items():
            column = lambda name: Writer("duckdb").column("t", table, name)
            instant = lambda name: f"strftime({column(name)} at time zone 'UTC', '%Y-%m-%d %H:%M:%S.%f+00')"
            items = ", ".join(instant(name) if kind == "time" else column(name) for name, _, kind in columns)
            yield table, self.connection.execute(f"select {items} from {table} t").fetchall()


class Postgres:
    """A server on a socket, of Debian's package, which goes when we do."""

    def __init__(self, folder, flat):
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not binaries:
            raise FileNotFoundError("no PostgreSQL")
        self.bin, self.folder = binaries[-1], Path(folder)
        data = self.folder / "pg"
        import os

        # The server refuses to be root.
        self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.prefix:
            self.folder.chmod(0o755)
            data.mkdir(mode=0o700)
            subprocess.run(["chown", "postgres", str(data)], check=True)
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        subprocess.run([*self.prefix, self.bin / "initdb", "-D", data, "-U", "judge", "--locale=C", "-E", "UTF8", "-A", "trust"], check=True, **quiet)
        subprocess.run(
            [*self.prefix, self.bin / "pg_ctl", "-D", data, "-w", "-o", f"-k {data} -h '' -c timezone=UTC -c fsync=off", "start"],
            check=True, **quiet,
        )
        self.data = data
        types = {"text": "text", "time": "timestamptz", "int": "bigint", "bool": "boolean", "json": "text", "list": "text[]"}
        script = ""
        for table, rows in flat:
            columns = COLUMNS[table]
            script += f"create table {table} ({', '.join(chr(34) + name + chr(34) + ' ' + types[kind] for name, _, kind in columns)});\n"
            for row in rows:
                script += f"insert into {table} values ({', '.join(self.literal(v, kind) for v, (_, _, kind) in zip(row, columns))});\n"
        self.run(script)

    @staticmethod
    def literal(value, kind):
        if value is None:
            return "null"
        quote = lambda text: "'" + str(text).replace("'", "''") + "'"
        if kind == "list":
            return "array[" + ", ".join(quote(v) for v in value) + "]::text[]"
        return quote(value)

    def run(self, script):
        return subprocess.run(
            ["psql", "-h", str(self.data), "-U", "judge", "-d", "postgres", "-q", "--csv", "-P", f"null={NULL}", "-f", "-"],
            input=script, capture_output=True, text=True, encoding="utf-8",
        )

    def answers(self, statements):
        script = "".join(f"\\echo {MARK}{at}\n{sql};\n" for at, sql in enumerate(statements)) + f"\\echo {MARK}{len(statements)}\n"
        out = self.run(script).stdout
        parts = re.split(rf"^{MARK}\d+\n", out, flags=re.M)[1:]
        answers = []
        for part in parts[:-1]:
            rows = list(csv.reader(io.StringIO(part)))
            answers.append(None if not rows else sorted(tuple(plain(v) for v in row) for row in rows[1:]))
        return answers

    def stop(self):
        subprocess.run([*self.prefix, self.bin / "pg_ctl", "-D", self.data, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def make_lake(auditlake, folder, seed):
    lake = Path(folder) / "lake"
    for at, lines in enumerate(events(seed)):
        file = Path(folder) / f"{at}.ndjson"
        file.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in lines), encoding="utf-8")
        subprocess.run([auditlake, "ingest", str(file), "--lake", str(lake), "--quiet"], check=True)
    return lake


def judge(auditlake, folder, seeds, data_seed=1, say=print):
    """Differences, how many statements only others answer, how many were compared, with whom."""
    lake = make_lake(auditlake, folder, data_seed)
    duckdb = DuckDb(lake)
    postgres = None
    try:
        postgres = Postgres(folder, duckdb.flat())
    except FileNotFoundError:
        say("there is no PostgreSQL on this machine: DuckDB judges alone")
    differences, alone, compared, peers = [], [], 0, 0
    try:
        seeds = list(seeds)
        for begin in range(0, len(seeds), 100):
            chunk = seeds[begin : begin + 100]
            statements = [statement(seed, "ours") for seed in chunk]
            mine, errors = ours(auditlake, str(lake), statements)
            third = postgres.answers([statement(seed, "postgres") for seed in chunk]) if postgres else [None] * len(chunk)
            said = iter(re.findall(r"^error: (.*)$", errors, flags=re.M))
            for at, seed in enumerate(chunk):
                theirs, _ = duckdb.answer(statement(seed, "duckdb"))
                known = [answer for answer in (theirs, third[at]) if answer is not None]
                peers += len(known)
                if mine[at] is None:
                    error = next(said, "?")
                    if known:
                        alone.append((seed, statements[at], error))
                    continue
                if not known:
                    continue
                compared += 1
                # Where the others differ from one another, agreeing with one of them is enough.
                if mine[at] not in known:
                    differences.append((seed, statements[at], mine[at], known))
    finally:
        if postgres:
            postgres.stop()
    return differences, alone, compared, peers
