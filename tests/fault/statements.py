"""
Events of a small adversarial lake, and statements over it that a generator makes.

The lake has nulls, ties, edges of months and of summer time, empty lists, odd texts, several files a partition. Each
statement is written three times by the same choices: for us, for DuckDB over the same Parquet, and for PostgreSQL over
the same rows as flat tables. What is ordered is ordered by all its columns, so that a limit means the same everywhere.
"""

import datetime
import random
import re

BEGIN_MS = 1767139200000  # 2025-12-31
DAY_MS = 86_400_000
DAYS = 100
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata"]

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
    # The union of the others; DuckDB has it as a view with flat names.
    "event": [
        ("uid", "metadata.uid", "text"),
        ("time", "time", "time"),
        ("class", "class", "text"),
        ("status_id", "status_id", "int"),
        ("severity_id", "severity_id", "int"),
        ("activity_id", "activity_id", "int"),
        ("who", "actor.user.uid", "text"),
        ("whom", "user.uid", "text"),
        ("message", "message", "text"),
        ("unmapped", "unmapped", "json"),
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
    # Midnight in Berlin, and the hour that clocks skip there.
    edges += [1767221999999, 1767222000000, 1774742399999, 1774742400000, 1774745999999, 1774746000000]
    for number in range(90):
        table = random_.choice(list(CLASS_UID))
        time = random_.choice(edges) if random_.random() < 0.25 else BEGIN_MS + random_.randrange(DAYS) * DAY_MS + random_.choice(
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
        if self.dialect == "postgres" or (self.dialect == "duckdb" and table == "event"):
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

    def local(self, unit, time, zone):
        """The begin of a day, week or month somewhere, in milliseconds."""
        if self.dialect == "postgres":
            return self.ms(f"date_trunc('{unit}', {time}, '{zone}')")
        if self.dialect == "duckdb":
            return self.ms(f"date_trunc('{unit}', {time} at time zone '{zone}') at time zone '{zone}'")
        return self.ms(f"date_trunc('{unit}', {time} at time zone '{zone}')")

    def middle(self, number, share, filter_):
        if self.dialect == "duckdb":
            return f"quantile_cont({number}, {share}){filter_}"
        return f"percentile_cont({share}) within group (order by {number}){filter_}"

    def time(self, ms):
        seconds, rest = divmod(ms, 1000)
        at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return f"timestamptz '{at:%Y-%m-%d %H:%M:%S}.{rest:03d}+00'"


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
                lambda: f"replace({column('text')}, 'o', 'r')",
                lambda: "(" + self.w.json(column("json"), self.pick(*KEYS)) + ")",
                lambda: f"cast({column('int')} as varchar)",
                lambda: f"cast(cast({column('time')}{self.zone()} as date) as varchar)",
                lambda: f"case {column('int')} when 1 then 'one' when 2 then {self.text()} end",
            )()
        if kind == "ms":
            return self.pick(
                lambda: self.w.ms(column("time")),
                lambda: self.w.ms(f"date_trunc('{self.pick('hour', 'day', 'week', 'month', 'quarter', 'year')}', {column('time')})"),
                lambda: self.w.local(self.pick("day", "week", "month"), column("time"), self.pick(*ZONES)),
                lambda: self.w.ms(f"({column('time')} + interval '{self.random.randrange(1, 40)} {self.pick('minutes', 'hours', 'days')}')"),
            )()
        return f"({self.condition(scope, 1)})"

    def zone(self):
        """Behind a time, whose fields are then those of clocks somewhere."""
        return f" at time zone '{self.pick(*ZONES)}'" if self.chance(0.4) else ""

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

    def subquery(self, scope, deep=True):
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
        if deep and self.chance(0.3):
            # One within it, which names both.
            where += f" and {self.subquery(self.pick([(outer_alias, outer_table)], inner + [(outer_alias, outer_table)]), deep=False)}"
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
            lambda: f"sum(distinct {number})",
            lambda: f"bool_or({self.condition(scope, 0)}){filter_}",
            lambda: f"round(stddev({number}), 6)",
            lambda: self.w.middle(number, self.pick(0, 0.25, 0.5, 1), filter_),
        )()

    def grouped(self):
        scope = [self.source()]
        alias, table = scope[0]
        keys = self.items(scope, self.random.randrange(1, 3), ("int", "text"))
        aggregates = [self.aggregate(scope) for _ in range(self.random.randrange(1, 4))]
        items = ", ".join(f"{item} as c{at}" for at, item in enumerate(keys + aggregates))
        by = ", ".join(str(at + 1) for at in range(len(keys)))
        having = f" having {self.pick('count(*)', self.aggregate(scope) + ' is not null and count(*)')} > {self.random.randrange(0, 3)}" if self.chance(0.3) else ""
        if self.chance(0.15):
            by = "all" if self.w.dialect != "postgres" else by
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

    def joins(self):
        """Three tables, the third joined with any of the others."""
        sources = [self.source() for _ in range(3)]
        text = f"{sources[0][1]} {sources[0][0]}"
        for at in (1, 2):
            kind = self.pick("text", "int")
            other = self.random.choice(sources[:at])
            on = f"{self.w.column(*other, self.of(other[1], kind))} = {self.w.column(*sources[at], self.of(sources[at][1], kind))}"
            on += f" and {self.w.column(*sources[at], 'status_id')} = {self.random.choice([1, 2, 99])}"
            if self.chance(0.4):
                a, b = self.w.column(*other, "time"), self.w.column(*sources[at], "time")
                on += f" and {b} between {a} - interval '3 days' and {a}"
            text += f" {self.pick('join', 'left join', 'right join')} {sources[at][1]} {sources[at][0]} on {on}"
        where = f" where {self.condition([self.random.choice(sources)], 1)}"
        if self.chance(0.5):
            items = [self.aggregate([source]) for source in sources]
            return f"select {', '.join(f'{item} as c{at}' for at, item in enumerate(items))} from {text}{where}"
        items = [self.scalar([source], self.pick("int", "text", "ms")) for source in sources]
        return f"select {', '.join(f'{item} as c{at}' for at, item in enumerate(items))} from {text}{where}{self.ordered(3)}"

    def newest(self):
        """One row of each group: `distinct on`, or a window that is filtered."""
        alias, table = self.source()
        key = self.w.column(alias, table, self.of(table, "text", "int"))
        uid, time = self.w.column(alias, table, "uid"), self.w.column(alias, table, "time")
        where = self.filtered([(alias, table)])
        if self.chance(0.5):
            inner = f"select distinct on ({key}) {key} as c0, {uid} as c1 from {table} {alias}{where} order by {key}, {time} desc, {uid}"
        else:
            row = f"row_number() over (partition by {key} order by {time} desc, {uid})"
            inner = f"select c0, c1 from (select {key} as c0, {uid} as c1, {row} as r from {table} {alias}{where}) q where r {self.pick('= 1', '<= 2')}"
        return f"select c0, c1 from ({inner}) q{self.ordered(2)}"

    def twice(self):
        """A query of `with` that is named twice."""
        one = self.source()
        alias, table = one
        inner = f"select {self.w.column(*one, self.of(table, 'text'))} as k, {self.w.column(*one, self.of(table, 'int'))} as n, {self.w.column(*one, 'time')} as at from {table} {alias}{self.filtered([one])}"
        return self.pick(
            lambda: f"with q as ({inner}) select a.k as c0, a.n as c1, (select count(*) from q b where b.k = a.k and b.at < a.at) as c2 from q a{self.ordered(3)}",
            lambda: f"with q as ({inner}) select a.k as c0, count(*) as c1 from q a {self.pick('join', 'left join')} q b on a.k = b.k and b.n < a.n group by a.k{self.ordered(2)}",
            lambda: f"with q as ({inner}), m as (select k, max(at) as at from q group by k) select q.k as c0, q.n as c1 from q join m on q.k = m.k and q.at = m.at{self.ordered(2)}",
            lambda: f"with q as ({inner}) select k as c0, n as c1 from q where n > (select avg(n) from q) or k in (select k from q where n is null){self.ordered(2)}",
        )()

    def using(self):
        one, other = self.source(), self.source()
        key = self.pick("who", "status_id")
        a = f"select {self.w.column(*one, key)} as k, count(*) as n from {one[1]} {one[0]} group by 1"
        b = f"select {self.w.column(*other, key)} as k, count(*) as m from {other[1]} {other[0]}{self.filtered([other])} group by 1"
        how = self.pick("join", "left join", "right join", "full join")
        items = self.pick("k, n, m", "coalesce(k, k) as k2, n, m", "*")
        one, other = self.pick(("a", "b"), ("b", "a"), ("a", f"({b}) as q"), (f"({a}) as q", "b"))
        if self.chance(0.2):
            third = self.source()
            c = f"select distinct {self.w.column(*third, key)} as k, 1 as o from {third[1]} {third[0]}"
            joins = f"{one} {how} {other} using (k) {self.pick('join', 'left join')} c using (k)"
            if self.chance(0.5):
                joins = f"c {self.pick('join', 'left join')} {one} using (k) left join {other} using (k)"
            return f"with a as ({a}), b as ({b}), c as ({c}) select {self.pick('k, n, m, o', '*')} from {joins} order by 1 nulls last, 2 nulls last, 3 nulls last, 4 nulls last"
        return f"with a as ({a}), b as ({b}) select {items} from {one} {how} {other} using (k) order by 1 nulls last, 2 nulls last, 3 nulls last"

    def union(self):
        one, other = self.source(), self.source()
        kinds = [self.pick("int", "text") for _ in range(self.random.randrange(1, 3))]
        side = lambda source: f"select {', '.join(self.scalar([source], kind) + f' as c{at}' for at, kind in enumerate(kinds))} from {source[1]} {source[0]}{self.filtered([source])}"
        op = self.pick("union", "union all", "intersect", "except", "intersect all", "except all")
        if self.chance(0.25):
            third = f"{self.pick('union', 'union all', 'intersect', 'except')} ({side(self.source())})"
            return self.pick(
                f"({side(one)}) {third} {op} ({side(other)}){self.ordered(len(kinds))}",
                f"(({side(one)}) {op} ({side(other)})) {third}{self.ordered(len(kinds))}",
            )
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
            self.join, self.join, self.join, self.joins, self.newest, self.twice, self.using, self.union, self.union, self.list, self.derived,
        )
        return shape()


def statement(seed, dialect):
    return Maker(seed, dialect).make()
