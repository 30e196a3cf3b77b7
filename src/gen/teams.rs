//! Groups, and people who leave: the part of regular traffic where one entry follows from the ones before.

use super::activity::Target;
use super::data::ROWS;
use super::event::Event;
use super::people::{Kind, Standing};
use super::traffic::Traffic;
use super::workspace::Workspace;

impl Traffic {
    /// Takes the next step of removing an account: its keys go first, then privileges and groups, then the account.
    ///
    /// So nothing stays open after accounts that leave in the regular way; only stories leave something.
    pub(super) fn depart(&mut self, time_ms: i64, row: usize, actor: usize, workspace: &mut Workspace) -> Event {
        let is_service = ROWS[row].target == Target::LeaveService;
        let Some(slot) = self.leaver(row, is_service, workspace) else {
            let mut event = self.begin(time_ms, self.profile, actor, workspace);
            event.subject = Some(actor);
            return event;
        };
        let person = &mut workspace.people[slot];
        if person.standing == Standing::Active {
            person.standing = Standing::Leaving;
        }
        let admin = self.admin(time_ms, workspace);
        let mut event = self.begin(time_ms, row, admin, workspace);
        event.subject = Some(slot);
        let person = &mut workspace.people[slot];
        if let Some(key) = person.keys.pop() {
            event.row = if is_service { self.service_key[1] } else { self.own_key[1] };
            event.thing = Some(key);
        } else if let Some(grant) = person.grants.pop() {
            event.row = if grant.resource.is_some() { self.share[1] } else { self.role[1] };
            (event.privileges, event.resource) = (grant.privileges, grant.resource);
        } else if person.groups != 0 {
            let group = person.groups.trailing_zeros() as usize;
            person.groups &= person.groups - 1;
            event.row = self.member[1];
            event.group = Some(group);
        } else {
            let is_disabled = ROWS[row].id == 5;
            person.standing = if is_disabled { Standing::Disabled } else { Standing::Gone };
            if !is_disabled {
                workspace.vacant[usize::from(is_service)].insert(0, slot);
            }
            workspace.leaving[usize::from(is_service)] = None;
            // The row decides who acts: provisioning, an administrator, or the leaver.
            let actor = if ROWS[row].name == "User Self-Deletion" { slot } else { actor };
            let subject = event.subject;
            event = self.begin(time_ms, row, actor, workspace);
            event.subject = subject;
        }
        event
    }

    /// Returns the account that is leaving, or should leave next; `None` while too many have already left.
    fn leaver(&mut self, row: usize, is_service: bool, workspace: &mut Workspace) -> Option<usize> {
        let place = usize::from(is_service);
        let slots = if is_service { workspace.services() } else { workspace.admins..workspace.users };
        if workspace.leaving[place].is_none() && workspace.vacant[place].len() * 4 < slots.len() {
            let kind = if is_service { Kind::Service } else { Kind::User };
            let may_leave = |slot: &usize| {
                let person = &workspace.people[*slot];
                let is_there = match person.standing {
                    Standing::Active => true,
                    // A disabled account is deleted some day.
                    Standing::Disabled => matches!(ROWS[row].name, "Workspace Member Removal" | "SCIM User Deletion"),
                    _ => false,
                };
                // The first service account always exists.
                is_there && !person.is_cast && person.kind == kind && *slot != workspace.users
            };
            let mut tries = (0..16).map(|_| slots.start + self.dice.index(slots.len()));
            workspace.leaving[place] = tries.find(may_leave);
        }
        let slot = workspace.leaving[place]?;
        // Accounts that act themselves, or are switched off, must be on.
        let must_be_on = ROWS[row].id == 5 || ROWS[row].name == "User Self-Deletion";
        let is_off = workspace.people[slot].standing == Standing::Disabled;
        if must_be_on && is_off { None } else { Some(slot) }
    }

    pub(super) fn group(&mut self, event: &mut Event, workspace: &mut Workspace) -> bool {
        // Group life cycles always succeed: a slot either exists or does not.
        event.outcome = super::event::Outcome::Success;
        event.group = match ROWS[event.row].id {
            6 => workspace.open_group(&mut self.dice),
            5 if workspace.groups.iter().filter(|group| group.is_alive).count() > 10 => {
                workspace.close_group(&mut self.dice)
            }
            9 => Some(workspace.group(&mut self.dice)),
            _ => None,
        };
        if event.group.is_none() {
            event.row = self.group_update;
            event.group = Some(workspace.group(&mut self.dice));
        }
        true
    }

    pub(super) fn member(&mut self, event: &mut Event, counts: bool, workspace: &mut Workspace) -> bool {
        let Some(subject) = workspace.somebody(event.actor, &mut self.dice) else { return false };
        let mut group = workspace.group(&mut self.dice);
        let held = workspace.people[subject].groups;
        if ROWS[event.row].id == 4 && held != 0 {
            group = held.trailing_zeros() as usize;
        }
        let is_member = held & (1 << group) != 0;
        match (ROWS[event.row].id, is_member) {
            (3, true) => event.row = self.member[1],
            (4, false) => event.row = self.member[0],
            _ => {}
        }
        if counts {
            workspace.people[subject].groups ^= 1 << group;
        }
        (event.subject, event.group) = (Some(subject), Some(group));
        true
    }

    pub(super) fn nest(&mut self, event: &mut Event, counts: bool, workspace: &mut Workspace) -> bool {
        let (group, nested) = (workspace.group(&mut self.dice), workspace.group(&mut self.dice));
        let mut pair = (group, nested);
        let mut held = workspace.nested.iter().position(|known| *known == pair);
        if ROWS[event.row].id == 8 && held.is_none() {
            held = workspace.nested.len().checked_sub(1);
        }
        // Only downwards, so that no group comes to contain itself.
        if held.is_none() && group >= nested {
            return false;
        }
        event.row = self.nest[usize::from(held.is_some())];
        match held {
            Some(index) => {
                pair = workspace.nested[index];
                if counts {
                    workspace.nested.remove(index);
                }
            }
            None if counts => workspace.nested.push(pair),
            None => {}
        }
        (event.group, event.subgroup) = (Some(pair.0), Some(pair.1));
        true
    }
}
