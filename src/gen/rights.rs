//! Privileges given and revoked: of accounts and of groups, on resources and in the workspace.

use super::activity::Target;
use super::data::{DATA, ROWS};
use super::event::Event;
use super::people::{Grant, Kind, Thing};
use super::traffic::Traffic;
use super::workspace::Workspace;

impl Traffic {
    pub(super) fn access(&mut self, event: &mut Event, counts: bool, workspace: &mut Workspace) -> bool {
        let is_role = ROWS[event.row].target == Target::Role;
        let Some(mut subject) = workspace.somebody(event.actor, &mut self.dice) else { return false };
        if !is_role && self.dice.chance(200) && workspace.people[event.actor].kind != Kind::Service {
            subject = workspace.service(&mut self.dice);
        }
        event.subject = Some(subject);
        let mut held = workspace.people[subject].grants.iter().position(|grant| grant.resource.is_none() == is_role);
        let rows = if is_role { self.role } else { self.share };
        let mut new = self.grant(event.row, is_role, workspace);
        let is_held = |grant: &Grant| {
            let uid = |resource: Option<Thing>| resource.map(|thing| thing.uid);
            grant.privileges == new.privileges && uid(grant.resource) == uid(new.resource)
        };
        let grants = &mut workspace.people[subject].grants;
        let same = grants.iter().position(is_held);
        if ROWS[event.row].id == 1 && (same.is_some() || grants.len() >= 6 && held.is_some()) {
            held = same.or(held);
            event.row = rows[1];
        } else if ROWS[event.row].id == 2 && held.is_none() {
            event.row = rows[0];
        }
        match held {
            Some(index) if ROWS[event.row].id == 2 => {
                new = grants[index];
                if counts {
                    grants.remove(index);
                }
            }
            _ if counts => grants.push(new),
            _ => {}
        }
        (event.privileges, event.resource) = (new.privileges, new.resource);
        true
    }

    fn grant(&mut self, row: usize, is_role: bool, workspace: &mut Workspace) -> Grant {
        if is_role {
            let seat = match ROWS[row].name {
                "Workspace Ownership Transfer" => "workspace_owner",
                _ if self.dice.chance(40) => "workspace_admin",
                _ => self.dice.pick(&DATA.seats),
            };
            return Grant { privileges: [seat, ""], resource: None };
        }
        let pool = self.dice.index(DATA.shared_kinds.len());
        let role = self.dice.pick(&DATA.share_roles);
        let second = if role == "editor" && self.dice.chance(300) { "viewer" } else { "" };
        Grant { privileges: [role, second], resource: Some(workspace.entity(pool, false, &mut self.dice)) }
    }

    pub(super) fn right(&mut self, event: &mut Event, counts: bool, workspace: &mut Workspace) -> bool {
        let slot = workspace.group(&mut self.dice);
        let mut right = self.dice.pick(&DATA.group_rights);
        let rights = &mut workspace.groups[slot].rights;
        let mut held = rights.iter().position(|known| *known == right);
        if ROWS[event.row].id == 2 && held.is_none() {
            held = rights.len().checked_sub(1);
        }
        event.row = self.right[usize::from(held.is_some())];
        match held {
            Some(index) => {
                right = rights[index];
                if counts {
                    rights.remove(index);
                }
            }
            None if counts => rights.push(right),
            None => {}
        }
        (event.group, event.privileges) = (Some(slot), [right, ""]);
        true
    }
}
