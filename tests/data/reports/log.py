"""The log as a whole by the catalogue's conventions (version 2): who is who, the ledgers, administrators, states, keys.

Slow on purpose: every rule is the sentence of the catalogue, evaluated per event over all events. A fixture is what a lake
holds: one line per identity (C1, C2).
"""
from event import *


# --- C14, C15: what an event says about keys

def resource_keys(e, is_grant):
    elements = e.get("resources") or []
    if not elements and e.get("resource") is not None:
        elements = [e["resource"]]
    if not elements:
        return ["*"]
    named = [name_of(element, "uid", "name") for element in elements]
    return distinct(name or ("*" if is_grant else None) for name in named)


def policies_of(e):
    named = distinct(name_of(policy, "name", "uid") for policy in e.get("policies") or [])
    return named or distinct([name_of(e.get("policy"), "name", "uid")])


def facts(log, e):
    """(ledger, key, effect) of an event, effective or not: one for each privilege and resource. A revoke that names
    nothing has one with the resource None, which is no key."""
    found = []
    privileges = names_in(e.get("privileges"))
    if is_a(e, 3005, 1, 2):
        effect = "open" if e["activity_id"] == 1 else "close"
        for privilege in privileges:
            for resource in resource_keys(e, effect == "open") or [None]:
                found.append(("access", (log.subject(e), privilege, resource, "direct"), effect))
    if is_a(e, 3001, 7, 8):
        for policy in policies_of(e):
            found.append(("access", (log.subject(e), policy, "*", "policy"), "open" if e["activity_id"] == 7 else "close"))
    if is_a(e, 3006, 3, 4):
        found.append(("member", (group_key(e), log.subject(e)), "open" if e["activity_id"] == 3 else "close"))
    if is_a(e, 3006, 7, 8):
        subgroup = name_of(e.get("subgroup"), "uid", "name")
        found.append(("subgroup", (group_key(e), subgroup), "open" if e["activity_id"] == 7 else "close"))
    if is_a(e, 3006, 1, 2):
        for privilege in privileges:
            resource = name_of(e.get("resource"), "uid", "name") or "*"
            found.append(("group_privilege", (group_key(e), privilege, resource), "open" if e["activity_id"] == 1 else "close"))
    return found


def islands(entries):
    """The times in which a key was held; entries are (time, uid, effect, actor) in the order of C14."""
    found, held, closings = [], None, []
    for time, uid, effect, actor in entries:
        if effect == "close":
            closings.append(time)
            if held:
                held.update(closed=time, closed_by=actor)
            held = None
        elif held:
            held["opens"] += 1
        else:
            held = {"opened": time, "by": actor, "uid": uid or None, "opens": 1, "closed": None, "closed_by": None}
            found.append(held)
    for island in found:
        island["ambiguous"] = island["opened"] in closings
    return found


def held_after(entries):
    found = islands(entries)
    return found[-1] if found and found[-1]["closed"] is None else None


def held_at(entries, time):
    """The island of what stands at `time`, inclusive."""
    return held_after([x for x in entries if x[0] <= time])


class Log:
    """The visible events of one run, and who is who in them. `p` has the shared parameters, `inputs` the rows of inputs."""

    def __init__(self, events, to, p=None, inputs=None):
        self.p, self.inputs = {**SHARED, **(p or {})}, inputs or {}
        seen = [identity(e) for e in events if uid_of(e) is not None]
        assert len(seen) == len(set(seen)), f"a lake holds one row per identity: {[s for s in seen if seen.count(s) > 1]}"
        self.events = sorted((e for e in events if e.get("time") is not None and e["time"] < to), key=c4)  # C3
        self.snapshot = [row for row in self.inputs.get("snapshot_access", ()) if row["taken_at"] < to]
        self.objects = []  # user objects in the order in which they were seen
        for e in self.events:
            for where in ("actor.user", "user"):
                if get(e, where) and (where != "user" or e["class_uid"] != 3004):
                    self.objects.append(get(e, where))
        self.known, self.kept = {}, {}

    # C5

    @staticmethod
    def email(u):
        name = somebody(u.get("name"))
        return somebody(u.get("email_addr")) or (name if name and "@" in name else None)

    @staticmethod
    def qualified(u):
        domain, name = somebody(u.get("domain")), somebody(u.get("name"))
        return (domain + "\\" + name).lower() if domain and name and not re.search(r"[@\\]", name) else None

    def resolve(self, u):
        if not u:
            return None
        uid, email, qualified, name = somebody(u.get("uid")), self.email(u), self.qualified(u), somebody(u.get("name"))
        if uid:
            return uid
        asked = (email, qualified, name)
        if asked not in self.known:
            by_email = by_name = None
            for o in self.objects:
                if somebody(o.get("uid")):
                    if email and (self.email(o) or "").lower() == email.lower():
                        by_email = somebody(o["uid"])
                    if qualified and self.qualified(o) == qualified:
                        by_name = somebody(o["uid"])
            self.known[asked] = by_email or by_name or (email and email.lower()) or qualified or name
        return self.known[asked]

    def subject(self, e):
        found = self.resolve(e.get("user")) if e["class_uid"] != 3004 else None
        return found if found or e["class_uid"] != 3002 else self.resolve(get(e, "actor.user"))

    def actor(self, e):
        app = somebody(get(e, "actor.app_uid")) or somebody(get(e, "actor.app_name"))
        return self.resolve(get(e, "actor.user")) or (app and "app:" + app)

    def has_user_actor(self, e):
        return self.resolve(get(e, "actor.user")) is not None

    def latest(self, uid, what):
        found = None
        for o in self.objects:
            if self.resolve(o) == uid and what(o) is not None:
                found = what(o)
        return found

    def label(self, uid):
        if uid is None:
            return None
        return self.latest(uid, self.email) or self.latest(uid, lambda o: somebody(o.get("name"))) or uid

    def user_type(self, uid):
        number = self.latest(uid, lambda o: o.get("type_id")) or 0
        return {0: "Unknown", 1: "User", 2: "Admin", 3: "System", 4: "Service"}.get(number, "Other")

    def latest_email(self, uid):
        found = self.latest(uid, self.email)
        return found and found.lower()

    def target(self, e):  # C16
        found = self.subject(e) or entity_key(e) or group_key(e)
        return found or path_of(e)

    # C14, C15, C17

    def ledgers(self):
        """ledger -> key -> entries in the order of C14; those of one key are all there are, whenever."""
        if "ledgers" in self.kept:
            return self.kept["ledgers"]
        found = {"access": {}, "member": {}, "subgroup": {}, "group_privilege": {}}
        start = max((row["taken_at"] for row in self.snapshot), default=None)
        for row in self.snapshot:
            kind = {"privilege": "access", "group": "member"}.get(row["item_type"])
            if kind and row["taken_at"] == start and text(row["subject_uid"]) and text(row["item"]):
                subject, item = text(row["subject_uid"]), text(row["item"])
                key = (subject, item, text(row.get("resource_uid")) or "*", "direct") if kind == "access" else (item, subject)
                found[kind].setdefault(key, []).append((start, "snapshot", "open", None))
        for e in self.events:
            for ledger, key, effect in facts(self, e):
                # A snapshot knows of privileges and members; what the log alone knows is not forgotten.
                early = start is not None and e["time"] < start and ledger in ("access", "member")
                if (not failed(e) if effect == "open" else successful(e)) and None not in key and not early:
                    found[ledger].setdefault(key, []).append((e["time"], uid_of(e) or "", effect, self.actor(e)))
        for e in self.events:
            if not successful(e):
                continue
            gone_account = self.subject(e) if is_a(e, 3001, 6) else None
            gone_group = group_key(e) if is_a(e, 3006, 5) else None
            for ledger, keys in found.items():
                for key, entries in keys.items():
                    account = {"access": key[0], "member": key[1]}.get(ledger)
                    groups = {"member": key[:1], "group_privilege": key[:1], "subgroup": key}.get(ledger, ())
                    if gone_account is not None and account == gone_account or gone_group is not None and gone_group in groups:
                        entries.append((e["time"], uid_of(e) or "", "close", self.actor(e)))
        for keys in found.values():
            for entries in keys.values():
                entries.sort(key=lambda x: (x[0], x[2], x[1].encode()))
        self.kept["ledgers"] = found
        return found

    def open_keys(self, ledger, time=FOREVER):
        return {key: held_at(entries, time) for key, entries in self.ledgers()[ledger].items() if held_at(entries, time)}

    def holds_privileged(self, subject, time):
        return any(key[0] == subject and is_privileged(key[1], key[2], self.p) and held_at(entries, time)
                   for key, entries in self.ledgers()["access"].items())

    def is_privileged_group(self, group, name, before):
        """C10; `before` picks the entries of a privilege that count."""
        pattern = self.p["privileged_group_pattern"]
        if matches(pattern, group) or matches(pattern, name):
            return True
        return any(key[0] == group and is_privileged(key[1], key[2], self.p) and held_after(list(filter(before, entries)))
                   for key, entries in self.ledgers()["group_privilege"].items())

    def is_privileged_group_of(self, e):
        """As of the event: by what stands strictly before it in C4 order."""
        return self.is_privileged_group(group_key(e), name_of(e.get("group"), "name"),
                                        lambda x: (x[0], x[1].encode()) < c4(e))

    def group_name(self, group):
        found = None
        for e in self.events:
            if group_key(e) == group and name_of(e["group"], "name"):
                found = name_of(e["group"], "name")
        return found

    # C12

    def is_administrator(self, e):
        actor, number = self.actor(e), get(e, "actor.user.type_id")
        if number == 2 or number is None and actor is not None and self.user_type(actor) == "Admin":
            return True
        return actor is not None and self.holds_privileged(actor, e["time"])

    def is_admin(self, e):
        if e["class_uid"] not in (3001, 3004, 3005, 3006):
            return False
        subject, actor = self.subject(e), self.actor(e)
        own = subject is not None and subject == actor
        if is_a(e, 3001, 3, 4, 10, 11) and own:
            return False
        if e["class_uid"] in (3005, 3006) or e["class_uid"] == 3001 and not own:
            return True
        return not is_a(e, 3004, 2) and self.is_administrator(e)

    # C13

    def state(self, subject):
        """(state, since, created, created by)"""
        life, lock = [], []
        mine = [e for e in self.events if e["class_uid"] == 3001 and self.subject(e) == subject]
        for e in mine:
            activity = e.get("activity_id")
            if activity in (1, 2) and not failed(e):
                life.append((e["time"], 2, c4(e), "active", e))
            if activity == 5 and successful(e):
                life.append((e["time"], 1, c4(e), "disabled", e))
            if activity == 6 and successful(e):
                life.append((e["time"], 0, c4(e), "deleted", e))
        creates = [x for x in life if x[4]["activity_id"] == 1]
        created = max(creates, key=lambda x: x[2]) if creates else None
        for e in mine:
            if created and e["time"] < created[0]:
                continue
            if is_a(e, 3001, 9) and successful(e):
                lock.append((e["time"], 0, "locked"))
            if is_a(e, 3001, 12) and not failed(e):
                lock.append((e["time"], 1, "unlocked"))
        now = max(life, key=lambda x: x[:3])[3] if life else None
        held = max(lock)[2] if lock else None
        made = (created[0], self.actor(created[4])) if created else (None, None)
        if now in ("deleted", "disabled"):
            return (now, max(x[0] for x in life), *made)
        if held == "locked":
            return ("locked", max(x[0] for x in lock), *made)
        if now == "active" or held == "unlocked":
            return ("active", max(x[0] for x in life + lock), *made)
        if any(is_logon(e) and successful(e) and self.subject(e) == subject for e in self.events):
            return ("active (seen)", None, *made)
        return ("unknown", None, *made)

    # C16

    def key_of(self, e):
        return entity_key(e) or segment(e, "/api-keys")

    def named_owner(self, e):
        return self.resolve(get(e, "entity.user")) or segment(e, "/service-accounts")

    def key_lives(self):
        if "lives" in self.kept:
            return self.kept["lives"]
        by_key = {}
        start = max((row["taken_at"] for row in self.snapshot), default=None)
        for row in self.snapshot:
            if row["item_type"] == "api_key" and row["taken_at"] == start:
                event = {"class_uid": 3004, "activity_id": 1, "time": start, "metadata": {"uid": "snapshot"},
                         "entity": {"uid": row["item"], "user": {"uid": row["subject_uid"]}}}
                by_key.setdefault(row["item"], []).append(event)
        for e in self.events:
            if is_key_event(e, self.p) and self.key_of(e) and not (start is not None and e["time"] < start):
                by_key.setdefault(self.key_of(e), []).append(e)
        lives = []
        for key, events in by_key.items():
            events.sort(key=lambda e: (e["time"], {1: 2, 4: 1}.get(e.get("activity_id"), 0), c4(e)))
            cut = [[]]
            for e in events:
                cut[-1].append(e)
                if is_a(e, 3004, 4) and successful(e):
                    cut.append([])
            for number, life in enumerate(cut):
                life = sorted(life, key=c4)
                alive = [e for e in life if not failed(e)]
                if not [e for e in alive if number == 0 or not is_a(e, 3004, 4)]:
                    continue
                creates = [e for e in alive if is_a(e, 3004, 1)]
                ends = [e for e in life if is_a(e, 3004, 4) and successful(e)]
                switches = [(e["time"], 1) for e in alive if e.get("activity_id") in (8, 10, 13)]
                switches += [(e["time"], 0) for e in life if e.get("activity_id") in (9, 11, 12) and successful(e)]
                off = bool(switches) and max(switches)[1] == 0
                created_by = self.actor(creates[0]) if creates else None
                owners = [o for o in (self.named_owner(e) for e in alive) if o]
                notes = [note for e in life if e.get("activity_id") in (9, 11, 12)
                         for note in (e.get("message"), e.get("unmapped") and json.dumps(e["unmapped"]))]
                lives.append({
                    "key": key, "number": number,
                    "name": next((name_of(e.get("entity"), "name") for e in reversed(alive)
                                  if name_of(e.get("entity"), "name")), None),
                    "owner": owners[0] if owners else created_by,
                    "created": creates[0]["time"] if creates else None, "by": created_by,
                    "seen": min(e["time"] for e in alive),
                    "changed": max((e["time"] for e in alive if e.get("activity_id") != 2), default=None),
                    "updates": sum(is_a(e, 3004, 3) for e in alive),
                    "disabled": max(x[0] for x in switches if x[1] == 0) if off else None,
                    "deleted": ends[0]["time"] if ends else None, "deleted_by": self.actor(ends[0]) if ends else None,
                    "end": c4(ends[0]) if ends else None,
                    "leaked": any(matches(self.p["leak_pattern"], note) for note in notes),
                })
        self.kept["lives"] = lives
        return lives

    def open_api_keys(self, subject, time):
        return [k for k in self.key_lives() if k["owner"] == subject and subject is not None
                and k["created"] is not None and k["created"] <= time and (k["deleted"] is None or k["deleted"] > time)]
