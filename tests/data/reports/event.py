"""One event by the catalogue's conventions (version 2), as plain Python over JSON; knows nothing of our SQL."""
import json, re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

DAY = 86_400_000
FOREVER = 1 << 62

PRIVILEGED = (r"(^|[^a-z])(admin|administrator|owner|superuser|root)s?([^a-z]|$)|^(all|workspace_write|user_write|"
              r"service_account_write|service_accounts_manage|group_members_manage|workspace_members_(invite|remove)|"
              r"webhooks_(write|manage)|audit_log_read|conversation_privacy_manage)$")
KEY_KINDS = ("api_key,apikey,access_key,service_account_api_key,workspace_api_key,user_api_key,personal_access_token,"
             "token")
SHARED = {
    "privileged_pattern": PRIVILEGED, "privileged_group_pattern": r"(^|[^a-z])(admin|owner)s?([^a-z]|$)",
    "api_key_kinds": KEY_KINDS, "leak_pattern": "exposed_publicly|secret.?scanning", "refusal_codes": "401,403",
    "exempt_types": "Service,System,App",
    "system_kinds": "workspace,role,group,connection,auth_connection,sso_connection,scim_token,webhook,service_account,secret",
}
NOBODY = ("-", "unknown", "n/a", "none", "null", "null sid", "s-1-0-0", "anonymous", "hidden_due_to_security_reasons")
SHARING_ROLES = ("admin", "editor", "commenter", "viewer")
STATUS_WORDS = {"success": 1, "successful": 1, "succeeded": 1, "ok": 1,
                "failure": 2, "failed": 2, "fail": 2, "error": 2, "denied": 2}


# --- values

def ms(value):
    time = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return round((time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp() * 1000)


def as_of_ms(value, tz="UTC"):  # C3: a date is its last millisecond
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        day = datetime.fromisoformat(value).date() + timedelta(days=1)
        return round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).timestamp() * 1000) - 1
    return ms(value)


def duration(value):
    d, h, m, s = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", value).groups(default="0")
    return ((int(d) * 24 + int(h)) * 60 + int(m)) * 60_000 + int(s) * 1000


def listed(value):
    return [part for part in value.split(",") if part]


def text(value):
    value = (value or "").strip()
    return value or None


def get(obj, path):
    for part in path.split("."):
        obj = (obj or {}).get(part)
    return obj


def distinct(values):
    found = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found


def by_bytes(values):
    return sorted({v for v in values if v is not None}, key=str.encode)


def last(value):
    """Null sorts last, text bytewise."""
    return (value is None, (value or "").encode())


def matches(pattern, name):
    return name is not None and re.search(pattern, name, re.I) is not None


def kind_of(value):  # C11
    return value and re.sub("[^a-z0-9]+", "_", value.lower())


def round1(x):  # half away from zero
    if x is None:
        return None
    tenths = int(abs(x) * 10 + 0.5) / 10
    return tenths if x >= 0 else -tenths


# --- C1, C4

def uid_of(e):
    uid = get(e, "metadata.uid")
    uid = str(uid) if isinstance(uid, int) else text(uid)
    if uid is None:
        uid = str(e["id"]) if isinstance(e.get("id"), int) else text(e.get("id"))
    return uid


def c4(e):
    return (e["time"], (uid_of(e) or "").encode())


def identity(e):
    product = get(e, "metadata.product") or {}
    parts = [text(product.get(k)) for k in ("vendor_name", "name", "uid")]
    parts += [text(get(e, "metadata." + k)) for k in ("log_name", "log_provider", "tenant_uid")]
    device = text(get(e, "device.uid")) or text(get(e, "device.hostname"))
    return (uid_of(e), e["class_uid"], e.get("time"), *parts, device)


# --- C5 to C9

def is_nobody(value):
    value = value.strip().lower()
    return value in NOBODY or value.count("0") >= 8 and all(c == "0" or not c.isalnum() for c in value)


def somebody(value):
    value = text(value)
    return None if value is None or is_nobody(value) else value


def status(e):  # 1, 2, 0, 99 or what was sent; None: nobody said
    if e.get("status_id") is not None:
        return e["status_id"]
    return STATUS_WORDS.get((e.get("status") or "").strip().lower())


def outcome(e):
    return {None: "unknown", 0: "unknown", 1: "success", 2: "failure"}.get(status(e), "other")


def failed(e):
    return status(e) == 2


def successful(e):
    return status(e) == 1


def mfa_of(e):
    return e["is_mfa"] if e.get("is_mfa") is not None else get(e, "session.is_mfa")


def http_code(e):
    code = text(e.get("status_code"))
    if code and re.fullmatch("[1-5][0-9][0-9]", code):
        return code
    code = get(e, "http_response.code")
    return None if code is None else str(code)


def is_refused(e, codes):
    return failed(e) and (http_code(e) is None or http_code(e) in codes)


def closes(e):
    """What narrows access (C7); all else opens or is neither."""
    return e.get("activity_id") in {3001: (5, 6, 8, 9), 3004: (4, 7, 9, 11, 12), 3005: (2,), 3006: (2, 4, 5, 8)}.get(
        e["class_uid"], ())


def effective(e):
    return successful(e) if closes(e) else not failed(e)


def address(e):
    forwarded = get(e, "http_request.x_forwarded_for") or [None]
    for found in (get(e, "src_endpoint.ip"), get(e, "device.ip"), forwarded[0]):
        found = somebody(found)
        if found:
            bracketed = re.fullmatch(r"\[(.*)\](:[0-9]+)?", found)
            if bracketed:
                return bracketed.group(1)
            ported = re.fullmatch(r"([^:]*):[0-9]{1,5}", found)
            return ported.group(1) if ported else found
    return None


def place(e):
    """(country, city, (lat, long) or None)"""
    location = {}
    for where in ("src_endpoint.location", "device.location"):
        found = get(e, where) or {}
        if any(found.get(k) is not None for k in ("country", "city", "lat", "long", "coordinates")):
            location = found
            break
    lat, long = location.get("lat"), location.get("long")
    if lat is None or long is None:
        pair = location.get("coordinates") or []
        long, lat = pair if len(pair) == 2 else (None, None)
    valid = (lat is not None and long is not None and -90 <= lat <= 90 and -180 <= long <= 180
             and not (lat == 0 and long == 0))
    country = text(location.get("country"))
    return country and country.upper(), text(location.get("city")), (lat, long) if valid else None


# --- what events are

def is_a(e, class_uid, *activities):
    return e["class_uid"] == class_uid and e.get("activity_id") in activities


def is_logon(e):
    return is_a(e, 3002, 1)


ACTIVITIES = {
    3001: ("Account Change", "Create, Enable, Password Change, Password Reset, Disable, Delete, Attach Policy, "
           "Detach Policy, Lock, MFA Factor Enable, MFA Factor Disable, Unlock"),
    3002: ("Authentication", "Logon, Logoff, Authentication Ticket, Service Ticket Request, Service Ticket Renew, "
           "Preauth, Account Switch"),
    3004: ("Entity Management", "Create, Read, Update, Delete, Move, Enroll, Unenroll, Enable, Disable, Activate, "
           "Deactivate, Suspend, Resume"),
    3005: ("User Access Management", "Assign Privileges, Revoke Privileges"),
    3006: ("Group Management", "Assign Privileges, Revoke Privileges, Add User, Remove User, Delete, Create, "
           "Add Subgroup, Remove Subgroup"),
}


def class_of(e):
    return ACTIVITIES[e["class_uid"]][0]


def activity_of(e):
    number, names = e.get("activity_id"), ACTIVITIES[e["class_uid"]][1].split(", ")
    if number is None or number == 0:
        return "Unknown"
    return names[number - 1] if 1 <= number <= len(names) else "Other"


def name_of(thing, *members):
    for member in members:
        if text((thing or {}).get(member)):
            return text(thing[member])
    return None


def names_in(values):  # C10: trimmed, no blank ones, once
    return distinct(text(value) for value in values or [])


def entity_key(e):  # C16
    if e["class_uid"] != 3004:
        return None
    return name_of(e.get("entity"), "uid") or name_of(e.get("entity_result"), "uid") or name_of(e.get("entity"), "name")


def group_key(e):
    return name_of(e.get("group"), "uid", "name") if e["class_uid"] == 3006 else None


def path_of(e):
    return get(e, "http_request.url.path")


def segment(e, after):
    found = re.search(after + r"/([^/?#]+)", path_of(e) or "")
    return found and found.group(1)


def is_key_event(e, p):  # C11; third-party-disabling is a setting
    if e["class_uid"] != 3004:
        return False
    kind = kind_of(text(get(e, "entity.type")))
    if kind:
        return kind in listed(p["api_key_kinds"])
    return bool(re.search("/api-keys(/|$)", path_of(e) or "")) and segment(e, "/api-keys") != "third-party-disabling"


# --- C10

def scope(privilege, resource):
    return "resource" if resource not in (None, "*") and privilege.lower() in SHARING_ROLES else "workspace"


def is_privileged(privilege, resource, p):
    return matches(p["privileged_pattern"], privilege) and scope(privilege, resource) == "workspace"
