//! Turns an event into one line of JSON, in the shape of the vendor's audit-log API.
//!
//! The order of the keys is the same for every entry of a class. The constant parts of an activity, a city or an
//! account are made once; the rest is written straight into the output buffer.

use chrono::DateTime;

use super::activity::{ACCOUNT, Activity, ENTITY, GROUP, LOGIN, Method, class_name};
use super::calendar::{DAY_MS, HOUR_MS, MINUTE_MS};
use super::data::{DATA, ROWS};
use super::event::{Event, Outcome};
use super::json::Json;
use super::people::{Person, Thing};
use super::places::locations;
use super::random::{Dice, Id};
use super::wording::{message, path, thing_name};
use super::workspace::Workspace;

pub(super) const HOST: &str = "api.elevenlabs.io";

pub struct Entries {
    seed: u64,
    number: u64,
    pub(super) dice: Dice,
    /// The class, activity, category and type of each row.
    heads: Vec<Vec<u8>>,
    locations: Vec<Vec<u8>>,
    day: i64,
    date: String,
    pub(super) workspace_uid: Id,
    tenant_uid: Id,
}

impl Entries {
    pub fn new(seed: u64, mut dice: Dice) -> Entries {
        let (workspace_uid, tenant_uid) = (dice.id(), dice.id());
        let heads = ROWS.iter().map(head).collect();
        let date = String::new();
        Entries { seed, number: 0, dice, heads, locations: locations(), day: i64::MIN, date, workspace_uid, tenant_uid }
    }

    /// Appends the entry and a line feed.
    pub fn write(&mut self, json: &mut Json, event: &Event, workspace: &Workspace) {
        let people = &workspace.people;
        let actor = &people[event.actor];
        let id = self.dice.unique_id(self.seed, self.number);
        self.number += 1;
        json.raw("{\"id\":\"").id(id).raw("\",\"time\":").int(event.time_ms).raw(",\"time_dt\":\"");
        self.time_dt(json, event.time_ms);
        json.raw("\",").bytes(&self.heads[event.row]);
        self.outcome(json, event, workspace);
        json.raw(",\"message\":\"");
        json.raw(&actor.login).raw(" ");
        message(json, event, workspace);
        json.raw("\",\"actor\":{\"user\":");
        user(json, actor, event.is_typed);
        json.raw(",\"app_name\":").raw(if event.key.is_some() { "\"API\"" } else { "\"Console\"" });
        json.raw(",\"app_uid\":").raw(if event.key.is_some() { "\"api\"" } else { "\"web\"" });
        self.session(json, event, ",\"session\":");
        json.raw("},\"device\":");
        if self.dice.chance(15) {
            json.raw("null")
        } else {
            self.device(json, event)
        };
        if !self.dice.chance(12) {
            self.http(json, event, workspace);
        }
        self.endpoint(json, event);
        self.class_objects(json, event, workspace);
        json.raw(",\"metadata\":{\"version\":\"1.6.0\",\"uid\":\"").id(id);
        json.raw("\",\"product\":{\"name\":\"Workspace\",\"vendor_name\":\"ElevenLabs\",\"version\":\"2026.1\"}");
        json.raw(",\"profiles\":[\"datetime\",\"host\"],\"log_name\":\"audit\"");
        let delay = 180 + self.dice.below(1_900) as i64 + if self.dice.chance(4) { 5 * MINUTE_MS } else { 0 };
        json.raw(",\"logged_time\":").int(event.time_ms + delay);
        if self.dice.chance(100) {
            json.raw(",\"tenant_uid\":\"").id(self.tenant_uid).raw("\"");
        }
        if self.dice.chance(100) {
            json.raw(",\"original_time\":\"").int(event.time_ms).raw("\"");
        }
        if self.dice.chance(80) {
            json.raw(",\"correlation_uid\":\"").uuid(self.dice.uuid()).raw("\"");
        }
        json.raw("}");
        self.unmapped(json, event, workspace);
        if self.dice.chance(9) {
            // What the next version of the API might add.
            json.raw(",\"vendor_trace\":{\"span\":\"").hex(self.dice.word(), 16).raw("\",\"sampled\":true}");
        }
        json.raw("}\n");
    }

    fn time_dt(&mut self, json: &mut Json, time_ms: i64) {
        let day = time_ms.div_euclid(DAY_MS);
        if day != self.day {
            let time = DateTime::from_timestamp_millis(time_ms).unwrap_or_default();
            (self.day, self.date) = (day, time.format("%Y-%m-%d").to_string());
        }
        let ms = time_ms.rem_euclid(DAY_MS) as u64;
        json.raw(&self.date).raw("T").padded(ms / HOUR_MS as u64, 2).raw(":");
        json.padded(ms / MINUTE_MS as u64 % 60, 2).raw(":").padded(ms / 1000 % 60, 2).raw(".");
        json.padded(ms % 1000, 3).raw("Z");
    }

    fn outcome(&mut self, json: &mut Json, event: &Event, workspace: &Workspace) {
        const CAPTIONS: [&str; 5] = ["Unknown", "Informational", "Low", "Medium", "High"];
        let severity = severity(event, workspace);
        json.raw(",\"severity_id\":").int(severity as i64);
        let has_captions = self.dice.chance(100);
        if has_captions {
            json.raw(",\"severity\":").quoted(CAPTIONS[severity]);
        }
        let (status_id, caption) = match event.outcome {
            Outcome::Success => (1, "Success"),
            Outcome::Failure(..) => (2, "Failure"),
            Outcome::Unknown => (0, "Unknown"),
        };
        json.raw(",\"status_id\":").int(status_id);
        if has_captions {
            json.raw(",\"status\":").quoted(caption);
        }
        if let Outcome::Failure(code, detail) = event.outcome {
            json.raw(",\"status_code\":\"").int(code.into()).raw("\",\"status_detail\":").quoted(detail);
        }
    }

    fn session(&mut self, json: &mut Json, event: &Event, prefix: &str) {
        if let Some(session) = event.session {
            json.raw(prefix).raw("{\"uid\":\"").uuid(session.uid).raw("\",\"created_time\":").int(session.created_ms);
            json.raw(",\"issuer\":\"sso.acme.example\",\"is_mfa\":").raw(boolean(session.is_mfa));
            if ROWS[event.row].class_uid == LOGIN {
                json.raw(",\"is_vpn\":false,\"expiration_time\":").int(session.created_ms + 12 * HOUR_MS);
            }
            json.raw("}");
        } else if let Some(key) = event.key {
            json.raw(prefix).raw("{\"credential_uid\":\"").id(key).raw("\",\"is_mfa\":false}");
        }
    }

    fn device<'j>(&mut self, json: &'j mut Json, event: &Event) -> &'j mut Json {
        let station = &event.station;
        let agent = station.agent;
        json.raw("{\"ip\":\"").ip(station.ip).raw("\",\"hostname\":\"").raw(agent.host_prefix);
        json.hex(u64::from(station.host) << 32, 6).raw("\",\"type_id\":").int(agent.device.type_id);
        json.raw(",\"type\":").quoted(agent.device.r#type);
        if self.dice.chance(350)
            && let Some(os) = &agent.os
        {
            json.raw(",\"os\":{\"name\":").quoted(os.name).raw(",\"type_id\":").int(os.type_id);
            for (key, value) in [(",\"version\":", os.version), (",\"build\":", os.build)] {
                if let Some(value) = value {
                    json.raw(key).quoted(value);
                }
            }
            json.raw("}");
        }
        if self.dice.chance(60) {
            json.raw(",\"location\":").bytes(&self.locations[usize::from(station.city)]);
        }
        json.raw("}")
    }

    fn http(&mut self, json: &mut Json, event: &Event, workspace: &Workspace) {
        let activity = &ROWS[event.row];
        json.raw(",\"http_request\":{\"http_method\":\"").raw(activity.method.as_str());
        json.raw("\",\"url\":{\"url_string\":\"https://").raw(HOST);
        let query = match activity.method {
            Method::Get => {
                self.dice.pick(&["", "page_size=50", "page_size=100&include_archived=true", "expand=permissions"])
            }
            _ => "",
        };
        let begin = json.bytes.len();
        path(json, event, workspace);
        let path = begin..json.bytes.len();
        if !query.is_empty() {
            json.raw("?").raw(query);
        }
        json.raw("\",\"scheme\":\"https\",\"hostname\":\"").raw(HOST).raw("\",\"path\":\"");
        json.bytes.extend_from_within(path);
        if !query.is_empty() {
            json.raw("\",\"query_string\":\"").raw(query);
        }
        json.raw("\",\"port\":443},\"user_agent\":\"").raw(event.station.agent.user_agent);
        json.raw("\",\"x_forwarded_for\":[\"").ip(event.station.ip).raw("\"");
        if self.dice.chance(100) {
            // A proxy of ours.
            json.raw(",\"10.16.0.").int(self.dice.below(250) as i64 + 1).raw("\"");
        }
        json.raw("]}");
        if event.outcome == Outcome::Success && self.dice.chance(650) {
            return;
        }
        json.raw(",\"http_response\":{\"code\":");
        json.int(match (event.outcome, activity.method) {
            (Outcome::Failure(code, _), _) => code.into(),
            (_, Method::Post) => 201,
            (_, Method::Delete) => 204,
            _ => 200,
        });
        if self.dice.chance(100) {
            json.raw(",\"latency\":").int(12 + self.dice.below(640) as i64);
        }
        json.raw("}");
    }

    fn endpoint(&mut self, json: &mut Json, event: &Event) {
        let station = &event.station;
        let is_login = ROWS[event.row].class_uid == LOGIN;
        // Other classes often leave the address to `device`.
        if !is_login && self.dice.chance(650) {
            return;
        }
        json.raw(",\"src_endpoint\":{\"ip\":\"").ip(station.ip).raw("\",\"port\":").int(station.port.into());
        if is_login || self.dice.chance(100) {
            json.raw(",\"location\":").bytes(&self.locations[usize::from(station.city)]);
        }
        json.raw("}");
    }

    fn class_objects(&mut self, json: &mut Json, event: &Event, workspace: &Workspace) {
        let activity = &ROWS[event.row];
        let people = &workspace.people;
        if let Some(subject) = event.subject.filter(|_| activity.class_uid != ENTITY) {
            json.raw(",\"user\":");
            user(json, &people[subject], event.is_typed);
            if activity.class_uid == ACCOUNT && matches!(activity.id, 1 | 2 | 99) && event.outcome == Outcome::Success {
                json.raw(",\"user_result\":");
                user(json, &people[subject], false);
            }
        }
        if !event.policy.is_empty() {
            json.raw(",\"policies\":[{\"name\":").text(event.policy).raw(",\"uid\":\"pol_").raw(event.policy);
            json.raw("\",\"type\":\"limit\",\"is_applied\":")
                .raw(boolean(activity.id == 7))
                .raw(",\"version\":\"1\"}]");
        }
        if let Some(thing) = event.thing {
            json.raw(",\"entity\":");
            self.entity(json, &thing, workspace);
            if event.outcome == Outcome::Success && matches!(activity.id, 1 | 5) {
                json.raw(",\"entity_result\":");
                self.entity(json, &thing, workspace);
            }
        }
        if let Some(group) = event.group {
            json.raw(",\"group\":");
            self.group(json, group, workspace);
        }
        if let Some(group) = event.subgroup {
            json.raw(",\"subgroup\":");
            self.group(json, group, workspace);
        }
        if event.privileges != ["", ""] {
            json.raw(",\"privileges\":[").quoted(event.privileges[0]);
            if !event.privileges[1].is_empty() {
                json.raw(",").quoted(event.privileges[1]);
            }
            json.raw("]");
        }
        if let Some(resource) = event.resource {
            json.raw(",\"resources\":[{\"uid\":\"").id(resource.uid).raw("\",\"name\":\"");
            thing_name(json, &resource).raw("\",\"type\":").quoted(resource.kind);
            if let Some(owner) = resource.owner {
                json.raw(",\"owner\":").bytes(&people[owner].user);
            }
            json.raw(",\"labels\":[\"shared\"]}]");
        }
        if activity.class_uid == LOGIN {
            self.authentication(json, event, workspace);
        }
    }

    fn authentication(&mut self, json: &mut Json, event: &Event, workspace: &Workspace) {
        let actor = &workspace.people[event.actor];
        json.raw(",\"service\":{\"name\":\"ElevenLabs Workspace\",\"uid\":\"").id(self.workspace_uid).raw("\"}");
        self.session(json, event, ",\"session\":");
        if let Some(is_mfa) = event.is_mfa {
            json.raw(",\"is_mfa\":").raw(boolean(is_mfa));
        }
        let protocol = &DATA.protocols[usize::from(actor.protocol)];
        json.raw(",\"auth_protocol_id\":").int(protocol.id).raw(",\"auth_protocol\":").quoted(protocol.name);
        json.raw(",\"logon_type_id\":2,\"logon_type\":\"Interactive\",\"is_remote\":true,\"is_cleartext\":false");
        json.raw(",\"auth_factors\":[{\"factor_type_id\":11,\"factor_type\":\"Password\"}");
        if event.is_mfa == Some(true) {
            let factor = &DATA.factors[usize::from(actor.old_key.0[0]) % DATA.factors.len()];
            json.raw(",{\"factor_type_id\":").int(factor.id).raw(",\"factor_type\":").quoted(factor.name).raw("}");
        }
        json.raw("]");
    }

    fn entity(&mut self, json: &mut Json, thing: &Thing, workspace: &Workspace) {
        json.raw("{\"uid\":\"").id(thing.uid).raw("\",\"name\":\"");
        thing_name(json, thing).raw("\",\"type\":").quoted(thing.kind).raw(",\"type_id\":99");
        if self.dice.chance(100) {
            json.raw(",\"version\":\"").int(1 + i64::from(thing.name % 7)).raw("\",\"data\":{\"visibility\":\"");
            json.raw(["private", "workspace", "workspace", "public"][thing.name as usize % 4]);
            json.raw("\",\"language\":\"")
                .raw(["en", "de", "pl", "es", "fr", "ja"][thing.name as usize % 6])
                .raw("\"}");
        }
        // The holder of a key is always given; that of other entities sometimes.
        if let Some(owner) = thing.owner.filter(|_| thing.kind.ends_with("api_key") || self.dice.chance(20)) {
            json.raw(",\"user\":").bytes(&workspace.people[owner].user);
        }
        json.raw("}");
    }

    fn group(&mut self, json: &mut Json, group: usize, workspace: &Workspace) {
        let group = &workspace.groups[group];
        json.raw("{\"uid\":\"")
            .id(group.uid)
            .raw("\",\"name\":")
            .text(&group.name)
            .raw(",\"type\":\"workspace_group\"}");
    }
}

/// Returns the beginning that all entries of a row share.
fn head(activity: &Activity) -> Vec<u8> {
    let mut json = Json::default();
    let class = class_name(activity.class_uid);
    json.raw("\"class_uid\":").int(activity.class_uid.into()).raw(",\"class_name\":").text(class);
    json.raw(",\"activity_id\":").int(activity.id.into()).raw(",\"activity_name\":").text(activity.name);
    json.raw(",\"category_uid\":3,\"category_name\":\"Identity & Access Management\",\"type_uid\":");
    json.int(i64::from(activity.class_uid) * 100 + i64::from(activity.id));
    json.raw(",\"type_name\":\"").raw(class).raw(": ").escaped(activity.name).raw("\"");
    json.bytes
}

fn severity(event: &Event, workspace: &Workspace) -> usize {
    let activity = &ROWS[event.row];
    let is_powerful = event.privileges.iter().any(|name| name.contains("admin") || name.contains("owner"));
    match (activity.class_uid, activity.id) {
        (ACCOUNT, 11) if event.subject.is_some_and(|slot| slot < workspace.admins) => 4,
        (ACCOUNT, 9 | 11) => 3,
        _ if is_powerful && activity.id == 1 => 3,
        _ if event.outcome != Outcome::Success => 2,
        (ACCOUNT, 5 | 6) | (GROUP, 5) | (ENTITY, 4) => 2,
        _ => 1,
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn user(json: &mut Json, person: &Person, is_typed: bool) {
    if is_typed {
        json.raw("{\"name\":").text(&person.email).raw(",\"type\":\"Unknown\",\"type_id\":0}");
    } else {
        json.bytes(&person.user);
    }
}
