//! Stories: incidents that compliance reports should find in the entries, at known places.
//!
//! A story is planned as a whole before the first entry is written. Its people are the cast: regular traffic lets them
//! act but does nothing to them, so that the story stays true to the end of the period.

use chrono::DateTime;

use super::Story;
use super::calendar::{DAY_MS, HOUR_MS, MINUTE_MS};
use super::data::{DATA, find};
use super::event::{Event, Outcome};
use super::people::{Kind, Session, Standing, Thing};
use super::places::{self, Station};
use super::random::Dice;
use super::workspace::Workspace;

/// Accounts of the cast that follow the administrators; the administrator in slot 0 also belongs to the cast.
pub const CAST: usize = 7;
const ADMIN: usize = 0;
const OTHER_ADMIN: usize = 1;

type Plot = fn(&mut Stage<'_>) -> String;

const PLOTS: [(&str, Plot); 9] = [
    ("brute force", brute_force),
    ("lock-out", lock_out),
    ("leaver with open access", leaver),
    ("self-granted privilege", self_grant),
    ("administrator without second factor", mfa_disabled),
    ("burst of deletions", burst),
    ("impossible travel", travel),
    ("password spray", spray),
    ("dormant account", dormant),
];

/// Plans the stories of a period, as many as `room` entries hold. Events come in the order of time.
pub fn plan(period: (i64, u32), room: u64, workspace: &mut Workspace, dice: &mut Dice) -> (Vec<Event>, Vec<Story>) {
    let (mut events, mut stories) = (Vec::new(), Vec::new());
    for (name, plot) in PLOTS {
        let (start_ms, days) = (period.0, i64::from(period.1));
        let mut stage = Stage { start_ms, days, workspace, dice, events: Vec::new() };
        let text = plot(&mut stage);
        let mut planned = stage.events;
        planned.retain(|event| event.time_ms < start_ms + days * DAY_MS);
        if (events.len() + planned.len()) as u64 <= room {
            events.append(&mut planned);
            stories.push(Story { name, text });
        }
    }
    // The sort is stable: events of the same instant stay in the order of their plot.
    events.sort_by_key(|event| event.time_ms);
    (events, stories)
}

/// Returns the text of an instant, to the second.
pub fn instant(time_ms: i64) -> String {
    DateTime::from_timestamp_millis(time_ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

struct Stage<'a> {
    start_ms: i64,
    days: i64,
    workspace: &'a mut Workspace,
    dice: &'a mut Dice,
    events: Vec<Event>,
}

impl Stage<'_> {
    /// Returns a time of day on the day at `permille` of the period; seeds differ by up to nine minutes.
    fn at(&mut self, permille: i64, hour: i64, minute: i64) -> i64 {
        let jitter = self.dice.below(9 * MINUTE_MS as u64) as i64;
        self.start_ms + self.days * permille / 1000 * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + jitter
    }

    fn cast(&self, number: usize) -> usize {
        self.workspace.admins + number
    }

    fn email(&self, slot: usize) -> &str {
        &self.workspace.people[slot].email
    }

    fn desk(&self, slot: usize) -> Station {
        self.workspace.people[slot].stations[0]
    }

    /// Lets `slot` act from the desk, in a session of the day.
    fn act(&mut self, time_ms: i64, slot: usize, name: &str, id: u16) -> &mut Event {
        let mut event = Event::new(time_ms, find(name, id), slot, self.desk(slot));
        if slot == self.workspace.scim() {
            event.key = Some(self.workspace.people[slot].old_key);
        } else {
            event.session = Some(self.session(time_ms - 20 * MINUTE_MS, event.station));
        }
        self.events.push(event);
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    fn session(&mut self, created_ms: i64, station: Station) -> Session {
        Session { uid: self.dice.uuid(), created_ms, station, is_mfa: false }
    }

    fn logon(&mut self, time_ms: i64, slot: usize, station: Station, outcome: Outcome) -> &mut Event {
        let mut event = Event::new(time_ms, find("Logon", 1), slot, station);
        event.subject = Some(slot);
        event.outcome = outcome;
        event.is_mfa = Some(false);
        if outcome == Outcome::Success {
            event.session = Some(self.session(time_ms, station));
        }
        self.events.push(event);
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    fn thing(&mut self, kind: &'static str, owner: usize) -> Thing {
        Thing { kind, uid: self.dice.id(), name: self.dice.word() as u32, owner: Some(owner) }
    }

    /// Adds failed logons every 28 to 30 seconds; returns the time of the last.
    fn guess(&mut self, start_ms: i64, times: i64, slot: usize, station: Station) -> i64 {
        let mut time_ms = start_ms;
        for number in 0..times {
            time_ms = start_ms + number * 28_000 + self.dice.below(2_000) as i64;
            let event = self.logon(time_ms, slot, station, Outcome::Failure(401, "invalid_password"));
            event.is_typed = number % 3 == 2;
        }
        time_ms
    }
}

fn brute_force(stage: &mut Stage<'_>) -> String {
    let victim = stage.cast(0);
    let attacker = Station::outside(66, places::city("Lagos"), stage.dice);
    let begin = stage.at(250, 10, 14);
    let last = stage.guess(begin, 12, victim, attacker);
    let success = last + 47_000;
    let session = stage.logon(success, victim, attacker, Outcome::Success).session;
    let key = stage.thing("user_api_key", victim);
    let event = stage.act(success + 3 * MINUTE_MS, victim, "User API Key Creation", 1);
    (event.thing, event.station, event.session) = (Some(key), attacker, session);
    format!(
        "{}: 12 failed logons from 192.0.2.66 from {}, a logon from there at {} and a new API key 3 minutes later",
        stage.email(victim),
        instant(begin),
        instant(success)
    )
}

fn lock_out(stage: &mut Stage<'_>) -> String {
    let victim = stage.cast(1);
    let begin = stage.at(320, 13, 31);
    let attacker = Station::outside(91, places::city("São Paulo"), stage.dice);
    let last = stage.guess(begin, 10, victim, attacker);
    let scim = stage.workspace.scim();
    let locked = last + 800;
    stage.act(locked, scim, "Account Security Change", 9).subject = Some(victim);
    let unlock = stage.act(locked + 3 * HOUR_MS, OTHER_ADMIN, "Account Security Change", 12);
    unlock.subject = Some(victim);
    format!(
        "{}: 10 failed logons from 192.0.2.91 from {}, locked at {}, unlocked 3 hours later",
        stage.email(victim),
        instant(begin),
        instant(locked)
    )
}

fn leaver(stage: &mut Stage<'_>) -> String {
    let slot = stage.cast(2);
    let hired = stage.at(20, 9, 10);
    let keys = [stage.thing("user_api_key", slot), stage.thing("user_api_key", slot)];
    for (number, key) in (0..).zip(keys) {
        stage.act(hired + number * 4 * MINUTE_MS, slot, "User API Key Creation", 1).thing = Some(key);
    }
    let agent = stage.thing("agent", OTHER_ADMIN);
    let event = stage.act(hired + 20 * MINUTE_MS, OTHER_ADMIN, "Resource Access Granted", 1);
    (event.subject, event.privileges, event.resource) = (Some(slot), ["editor", ""], Some(agent));
    let event = stage.act(hired + 25 * MINUTE_MS, OTHER_ADMIN, "Workspace Member Update", 1);
    (event.subject, event.privileges) = (Some(slot), ["workspace_admin", ""]);
    let event = stage.act(hired + 31 * MINUTE_MS, OTHER_ADMIN, "Group Member Addition", 3);
    (event.subject, event.group) = (Some(slot), Some(1));

    let disabled = stage.at(400, 16, 5);
    let scim = stage.workspace.scim();
    stage.act(disabled, scim, "SCIM User Management", 5).subject = Some(slot);
    let station = Station::home(stage.workspace.people[slot].city, stage.dice);
    let uses = [disabled + 50 * MINUTE_MS, disabled + 19 * HOUR_MS, disabled + 3 * DAY_MS - 5 * HOUR_MS];
    for used in uses {
        let voice = stage.thing("voice", OTHER_ADMIN);
        let event = stage.act(used, slot, "Resource Access Management", 2);
        (event.thing, event.station) = (Some(voice), station);
        (event.session, event.key) = (None, Some(keys[1].uid));
    }
    format!(
        "{}: disabled at {} with 2 API keys, workspace_admin, a shared agent and the group `{}` left open; a key is used from {} on",
        stage.email(slot),
        instant(disabled),
        stage.workspace.groups[1].name,
        instant(uses[0])
    )
}

fn self_grant(stage: &mut Stage<'_>) -> String {
    let slot = stage.cast(3);
    let time_ms = stage.at(480, 15, 47);
    let event = stage.act(time_ms, slot, "Workspace Member Update", 1);
    (event.subject, event.privileges) = (Some(slot), ["workspace_admin", ""]);
    format!("{}: grants workspace_admin to their own account at {}", stage.email(slot), instant(time_ms))
}

fn mfa_disabled(stage: &mut Stage<'_>) -> String {
    let enrolled = stage.at(100, 9, 30);
    stage.act(enrolled, ADMIN, "MFA Factor Enrollment", 10).subject = Some(ADMIN);
    let removed = stage.at(550, 14, 22);
    stage.act(removed, OTHER_ADMIN, "MFA Factor Removal", 11).subject = Some(ADMIN);
    let (admin, other) = (stage.email(ADMIN), stage.email(OTHER_ADMIN));
    format!("{admin}: an administrator's second factor is removed by {other} at {}", instant(removed))
}

fn burst(stage: &mut Stage<'_>) -> String {
    const ACTS: [(&str, &str); 3] = [
        ("Resource Locator Deletion", "resource_locator"),
        ("Delete Scribe meeting", "meeting"),
        ("Agents User Memory Erased", "agent_user_memory"),
    ];
    let slot = stage.cast(6);
    let begin = stage.at(700, 11, 3);
    let session = stage.session(begin - HOUR_MS, stage.desk(slot));
    for number in 0..30 {
        let (name, kind) = ACTS[number as usize / 10];
        let thing = stage.thing(kind, OTHER_ADMIN);
        let time_ms = begin + number * 7_900 + stage.dice.below(900) as i64;
        let event = stage.act(time_ms, slot, name, 4);
        (event.thing, event.session) = (Some(thing), Some(session));
    }
    format!("{}: deletes 30 entities within 4 minutes from {}", stage.email(slot), instant(begin))
}

fn travel(stage: &mut Stage<'_>) -> String {
    let slot = stage.cast(4);
    let here = stage.desk(slot);
    let city = &DATA.cities[usize::from(here.city)];
    let mut there = Station::home(
        if city.continent == "Europe" { places::city("Singapore") } else { places::city("Berlin") },
        stage.dice,
    );
    if city.continent == "Africa" {
        there.city = places::city("東京");
    }
    let first = stage.at(620, 9, 5);
    stage.logon(first, slot, here, Outcome::Success).is_mfa = Some(false);
    stage.logon(first + 20 * MINUTE_MS, slot, there, Outcome::Success);
    let far = DATA.cities[usize::from(there.city)].name;
    format!("{}: logs on from {} at {} and 20 minutes later from {far}", stage.email(slot), city.name, instant(first))
}

fn spray(stage: &mut Stage<'_>) -> String {
    let begin = stage.at(850, 17, 31);
    let attacker = Station::outside(133, places::city("São Paulo"), stage.dice);
    let people = &stage.workspace.people;
    let is_target = |slot: &usize| people[*slot].standing == Standing::Active && people[*slot].kind == Kind::User;
    let targets: Vec<usize> = (stage.cast(CAST)..stage.workspace.users).filter(is_target).take(25).collect();
    for (number, &slot) in targets.iter().enumerate() {
        let time_ms = begin + number as i64 * 44_000 + stage.dice.below(20_000) as i64;
        let event = stage.logon(time_ms, slot, attacker, Outcome::Failure(401, "invalid_password"));
        event.is_typed = number % 2 == 1;
    }
    format!(
        "192.0.2.133: one failed logon against each of {} accounts within 20 minutes from {}",
        targets.len(),
        instant(begin)
    )
}

fn dormant(stage: &mut Stage<'_>) -> String {
    let slot = stage.cast(5);
    stage.workspace.people[slot].is_silent = true;
    let granted = stage.at(0, 8, 20);
    let event = stage.act(granted, OTHER_ADMIN, "Workspace Member Update", 1);
    (event.subject, event.privileges) = (Some(slot), ["workspace_admin", ""]);
    let last = granted + 30 * MINUTE_MS;
    let station = stage.desk(slot);
    stage.logon(last, slot, station, Outcome::Success).is_mfa = Some(true);
    format!("{}: holds workspace_admin, logs on at {} and never again", stage.email(slot), instant(last))
}
