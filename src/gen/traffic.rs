//! Regular traffic: draws the next activity, and keeps the workspace in step with it.

use super::activity::{By, ENTITY, Target};
use super::calendar::{HOUR_MS, busyness};
use super::data::{DATA, ROWS, find};
use super::event::{Event, Outcome};
use super::people::{Kind, Session, Standing, Thing};
use super::random::Dice;
use super::workspace::Workspace;

const SESSION_MS: i64 = 9 * HOUR_MS;

/// Rows with their running sums of weights.
struct Urn {
    rows: Vec<(u64, usize)>,
}

impl Urn {
    fn new(takes: impl Fn(usize) -> bool) -> Urn {
        let mut sum = 0;
        let mut rows = Vec::new();
        for (index, row) in ROWS.iter().enumerate().filter(|(index, _)| takes(*index)) {
            sum += u64::from(row.weight);
            rows.push((sum, index));
        }
        Urn { rows }
    }

    fn draw(&self, dice: &mut Dice) -> usize {
        let total = self.rows.last().map_or(0, |(sum, _)| *sum);
        let ball = dice.below(total);
        self.rows[self.rows.partition_point(|(sum, _)| *sum <= ball)].1
    }
}

pub struct Traffic {
    pub(super) dice: Dice,
    people: Urn,
    services: Urn,
    /// The pool of the kind of each row.
    pools: Vec<usize>,
    pub(super) profile: usize,
    /// The (open, close) rows by the ids of the pair.
    pub(super) own_key: [usize; 2],
    pub(super) service_key: [usize; 2],
    pub(super) share: [usize; 2],
    pub(super) role: [usize; 2],
    pub(super) member: [usize; 2],
    pub(super) right: [usize; 2],
    pub(super) nest: [usize; 2],
    enroll: usize,
    pub(super) group_update: usize,
    logon: usize,
}

impl Traffic {
    pub fn new(workspace: &Workspace, dice: Dice) -> Traffic {
        let pool = |kind: &str| workspace.pools.iter().position(|pool| pool.kind == kind).unwrap_or(0);
        let is_program = |index: usize| {
            let row = &ROWS[index];
            row.by == By::Anyone && row.class_uid == ENTITY && row.target != Target::OwnKey
        };
        let pair = |name: [&str; 2], id: [u16; 2]| [find(name[0], id[0]), find(name[1], id[1])];
        Traffic {
            dice,
            people: Urn::new(|_| true),
            services: Urn::new(is_program),
            pools: ROWS.iter().map(|row| pool(row.kind)).collect(),
            profile: find("User Metadata Update", 99),
            own_key: pair(["User API Key Creation", "User API Key Deletion"], [1, 4]),
            service_key: pair(["API Key Creation", "API Key Deletion"], [1, 4]),
            share: pair(["Resource Access Granted", "Resource Access Revoked"], [1, 2]),
            role: pair(["Workspace Member Update"; 2], [1, 2]),
            member: pair(["Group Member Addition", "Group Member Removal"], [3, 4]),
            right: pair(["Group Management"; 2], [1, 2]),
            nest: pair(["Group Management"; 2], [7, 8]),
            enroll: find("MFA Factor Enrollment", 10),
            group_update: find("Group Update", 9),
            logon: find("Logon", 1),
        }
    }

    /// Makes one entry at `time_ms`, by a person in `human_permille` of a thousand cases.
    pub fn event(&mut self, time_ms: i64, human_permille: u64, workspace: &mut Workspace) -> Event {
        let person = if self.dice.chance(human_permille) { self.awake(time_ms, workspace) } else { None };
        let Some(actor) = person else {
            let actor = workspace.service(&mut self.dice);
            let row = self.services.draw(&mut self.dice);
            return self.perform(time_ms, row, actor, workspace);
        };
        let is_over = time_ms.saturating_sub(workspace.people[actor].session.created_ms) > SESSION_MS;
        let mut row = self.people.draw(&mut self.dice);
        if is_over && self.dice.chance(300) {
            row = self.logon;
        }
        self.perform(time_ms, row, actor, workspace)
    }

    /// Returns somebody for whom this is a time to work.
    fn awake(&mut self, time_ms: i64, workspace: &Workspace) -> Option<usize> {
        for _ in 0..24 {
            // The smaller of two is taken: some people work with it all day, others now and then.
            let slot = self.dice.index(workspace.users).min(self.dice.index(workspace.users));
            let person = &workspace.people[slot];
            let offset = DATA.cities[usize::from(person.city)].offset_minutes;
            let is_there = person.standing == Standing::Active && !person.is_silent;
            if is_there && self.dice.below(100) < busyness(time_ms, offset) {
                return Some(slot);
            }
        }
        None
    }

    pub(super) fn admin(&mut self, time_ms: i64, workspace: &Workspace) -> usize {
        let mut slot = 0;
        for _ in 0..8 {
            slot = self.dice.index(workspace.admins);
            let city = workspace.people[slot].city;
            if self.dice.below(100) < busyness(time_ms, DATA.cities[usize::from(city)].offset_minutes) {
                break;
            }
        }
        slot
    }

    /// Makes the entry's frame: actor, origin, and session or key.
    pub(super) fn begin(&mut self, time_ms: i64, row: usize, actor: usize, workspace: &mut Workspace) -> Event {
        let person = &mut workspace.people[actor];
        let is_program = matches!(person.kind, Kind::Service | Kind::System);
        if time_ms.saturating_sub(person.session.created_ms) > SESSION_MS {
            // The session began before the entry, after the last one ended.
            let created_ms = time_ms - self.dice.below(40 * 60_000) as i64;
            let station = person.stations[self.dice.index(2)];
            person.session = Session { uid: self.dice.uuid(), created_ms, station, is_mfa: person.has_mfa };
        }
        let mut event = Event::new(time_ms, row, actor, person.session.station);
        if is_program {
            event.key = Some(person.keys.last().map_or(person.old_key, |key| key.uid));
        } else {
            event.session = Some(person.session);
        }
        event
    }

    fn perform(&mut self, time_ms: i64, row: usize, drawn: usize, workspace: &mut Workspace) -> Event {
        let activity = &ROWS[row];
        let actor = match activity.by {
            By::Anyone => drawn,
            By::Admin if workspace.people[drawn].kind == Kind::Admin => drawn,
            By::Admin => self.admin(time_ms, workspace),
            By::Scim => workspace.scim(),
        };
        if activity.target == Target::Logon {
            return self.logon(time_ms, row, actor, workspace);
        }
        if matches!(activity.target, Target::Leave | Target::LeaveService) {
            return self.depart(time_ms, row, actor, workspace);
        }
        let mut event = self.begin(time_ms, row, actor, workspace);
        let fails = self.dice.chance(if activity.id == 2 && activity.class_uid == ENTITY { 8 } else { 16 });
        let is_plain = matches!(activity.target, Target::Entity | Target::Resource | Target::Own | Target::Step);
        if fails {
            event.outcome = self.refusal();
        } else if is_plain && self.dice.chance(4) {
            // An outcome is unknown only where nothing depends on it: a grant of unknown outcome would count as one,
            // and never be revoked.
            event.outcome = Outcome::Unknown;
        }
        // A refused activity changes nothing.
        let counts = event.outcome == Outcome::Success;
        let done = match activity.target {
            Target::Step => {
                event.subject = Some(actor);
                event.is_mfa = Some(activity.id == 99 || workspace.people[actor].has_mfa);
                true
            }
            Target::Own => {
                event.subject = Some(actor);
                true
            }
            Target::Other | Target::Policy => {
                event.subject = workspace.somebody(actor, &mut self.dice);
                event.policy = if activity.target == Target::Policy { self.dice.pick(&DATA.policies) } else { "" };
                event.subject.is_some()
            }
            Target::Hire | Target::HireService => self.hire(&mut event, workspace),
            Target::ServiceAccount => {
                event.subject = Some(workspace.service(&mut self.dice));
                true
            }
            Target::Enroll | Target::Unenroll => self.factor(&mut event, counts, workspace),
            Target::OwnKey | Target::ServiceKey => self.key(&mut event, counts, workspace),
            Target::Entity => {
                self.entity(&mut event, self.pools[row], counts, workspace);
                true
            }
            Target::Resource => {
                let pool = self.dice.index(DATA.shared_kinds.len()).min(self.dice.index(DATA.shared_kinds.len()));
                self.entity(&mut event, pool, counts, workspace);
                true
            }
            Target::Role | Target::Share | Target::Unshare => self.access(&mut event, counts, workspace),
            Target::Group => self.group(&mut event, workspace),
            Target::Member => self.member(&mut event, counts, workspace),
            Target::GroupRight => self.right(&mut event, counts, workspace),
            Target::Subgroup => self.nest(&mut event, counts, workspace),
            Target::Logon | Target::Leave | Target::LeaveService => true,
        };
        if done {
            return event;
        }
        // Nothing to act on exists: the actor does something that is always possible.
        let mut event = self.begin(time_ms, self.profile, drawn, workspace);
        event.subject = Some(drawn);
        event
    }

    fn refusal(&mut self) -> Outcome {
        match self.dice.below(8) {
            0..5 => Outcome::Failure(403, "insufficient_permissions"),
            5 => Outcome::Failure(404, "not_found"),
            6 => Outcome::Failure(429, "rate_limit_exceeded"),
            _ => Outcome::Failure(409, "conflict"),
        }
    }

    fn logon(&mut self, time_ms: i64, row: usize, actor: usize, workspace: &mut Workspace) -> Event {
        let person = &mut workspace.people[actor];
        if person.is_cast || matches!(person.kind, Kind::Service | Kind::System) {
            // Stories decide when their people log on, and programs have keys.
            let mut event = self.begin(time_ms, self.profile, actor, workspace);
            event.subject = Some(actor);
            return event;
        }
        let station = person.stations[self.dice.index(2)];
        let mut event = Event::new(time_ms, row, actor, station);
        event.subject = Some(actor);
        if self.dice.chance(55) {
            event.outcome = Outcome::Failure(401, self.dice.pick(&DATA.logon_faults));
            // Before the account is known, only the typed name is.
            event.is_typed = self.dice.chance(600);
            event.is_mfa = Some(false);
            return event;
        }
        let is_mfa = person.has_mfa && !self.dice.chance(15);
        person.session = Session { uid: self.dice.uuid(), created_ms: time_ms, station, is_mfa };
        event.session = Some(person.session);
        event.is_mfa = if self.dice.chance(20) { None } else { Some(is_mfa) };
        event
    }

    fn factor(&mut self, event: &mut Event, counts: bool, workspace: &mut Workspace) -> bool {
        let person = &mut workspace.people[event.actor];
        if person.is_cast || person.kind != Kind::User {
            return false;
        }
        if ROWS[event.row].target == Target::Unenroll && !person.has_mfa {
            event.row = self.enroll;
        }
        if counts {
            person.has_mfa = ROWS[event.row].target == Target::Enroll;
        }
        event.subject = Some(event.actor);
        true
    }

    fn entity(&mut self, event: &mut Event, pool: usize, counts: bool, workspace: &mut Workspace) {
        event.thing = Some(match ROWS[event.row].id {
            1 if counts => workspace.create(pool, Some(event.actor), &mut self.dice),
            1 => self.thing(workspace.pools[pool].kind, event.actor),
            id => workspace.entity(pool, counts && id == 4, &mut self.dice),
        });
    }

    fn thing(&mut self, kind: &'static str, owner: usize) -> Thing {
        Thing { kind, uid: self.dice.id(), name: self.dice.word() as u32, owner: Some(owner) }
    }

    fn key(&mut self, event: &mut Event, counts: bool, workspace: &mut Workspace) -> bool {
        let is_own = ROWS[event.row].target == Target::OwnKey;
        let (owner, rows) =
            if is_own { (event.actor, self.own_key) } else { (workspace.service(&mut self.dice), self.service_key) };
        let person = &mut workspace.people[owner];
        if person.is_cast {
            return false;
        }
        match (ROWS[event.row].id, person.keys.len()) {
            (_, 0) => event.row = rows[0],
            (1, 4..) => event.row = rows[1],
            _ => {}
        }
        let activity = &ROWS[event.row];
        let thing = match activity.id {
            1 => self.thing(activity.kind, owner),
            4 => person.keys[0],
            _ => self.dice.pick(&person.keys),
        };
        match activity.id {
            1 if counts => person.keys.push(thing),
            4 if counts => drop(person.keys.remove(0)),
            _ => {}
        }
        event.thing = Some(thing);
        event.subject = if is_own { None } else { Some(owner) };
        true
    }

    fn hire(&mut self, event: &mut Event, workspace: &mut Workspace) -> bool {
        let is_service = ROWS[event.row].target == Target::HireService;
        let Some(slot) = workspace.vacant[usize::from(is_service)].pop() else { return false };
        if workspace.people[slot].standing == Standing::Gone {
            let kind = if is_service { Kind::Service } else { Kind::User };
            workspace.people[slot] = workspace.register.person(kind, &mut self.dice);
        }
        workspace.people[slot].standing = Standing::Active;
        event.outcome = Outcome::Success;
        event.subject = Some(slot);
        true
    }
}
