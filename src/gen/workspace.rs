//! The state of the invented workspace at one moment: accounts, groups, entities and privileges.
//!
//! Traffic changes it with every successful entry, so that whatever is closed was open and whoever acts was created.

use super::activity::Target;
use super::data::{DATA, ROWS};
use super::people::{Kind, Person, Register, Standing, Thing};
use super::random::{Dice, Id};

const GROUP_SLOTS: usize = 48;
const GROUPS_AT_START: usize = 16;
const THINGS_AT_START: usize = 30;
/// The size limit of a pool, which then forgets a random member: nothing more happens to that one.
const THINGS_AT_MOST: usize = 500;

#[derive(Debug)]
pub struct Group {
    pub uid: Id,
    pub name: String,
    pub is_alive: bool,
    pub rights: Vec<&'static str>,
}

#[derive(Debug)]
pub struct Pool {
    pub kind: &'static str,
    pub things: Vec<Thing>,
}

#[derive(Debug)]
pub struct Workspace {
    /// People first, then service accounts, then the provisioning client.
    pub people: Vec<Person>,
    pub admins: usize,
    pub users: usize,
    pub register: Register,
    /// Slots that wait for an account: for people, for service accounts.
    pub vacant: [Vec<usize>; 2],
    /// The accounts whose access is being removed: a person, a service account.
    pub leaving: [Option<usize>; 2],
    pub groups: Vec<Group>,
    /// (group, nested group)
    pub nested: Vec<(usize, usize)>,
    /// Shared kinds first.
    pub pools: Vec<Pool>,
}

impl Workspace {
    /// Makes a workspace; `cast` accounts after the administrators are left to the stories.
    pub fn new(users: usize, cast: usize, dice: &mut Dice) -> Workspace {
        let admins = (users / 20).max(3);
        let services = 4 + users / 10;
        let mut register = Register::default();
        let mut vacant = [Vec::new(), Vec::new()];
        let mut people = Vec::with_capacity(users + services + 1);
        for slot in 0..users + services {
            let is_service = slot >= users;
            let kind = match slot {
                _ if is_service => Kind::Service,
                _ if slot < admins => Kind::Admin,
                _ => Kind::User,
            };
            let mut person = register.person(kind, dice);
            person.is_cast = slot == 0 || (admins..admins + cast).contains(&slot);
            let is_expected =
                if is_service { slot >= users + services - services / 5 } else { slot >= users - users / 7 };
            if is_expected && !person.is_cast {
                person.standing = Standing::Expected;
                vacant[usize::from(is_service)].push(slot);
            }
            people.push(person);
        }
        people.push(register.person(Kind::System, dice));
        // The account that is hired next is at the end of the list.
        vacant.iter_mut().for_each(|slots| slots.reverse());

        let mut pools: Vec<Pool> = Vec::new();
        let kinds = ROWS.iter().filter(|row| row.target == Target::Entity).map(|row| row.kind);
        for kind in DATA.shared_kinds.iter().copied().chain(kinds) {
            if pools.iter().all(|pool| pool.kind != kind) {
                pools.push(Pool { kind, things: Vec::new() });
            }
        }
        let mut workspace = Workspace {
            people,
            admins,
            users,
            register,
            vacant,
            leaving: [None, None],
            groups: Vec::new(),
            nested: Vec::new(),
            pools,
        };
        for pool in 0..workspace.pools.len() {
            for _ in 0..THINGS_AT_START {
                let owner = dice.index(users - users / 7);
                workspace.create(pool, Some(owner), dice);
            }
        }
        for slot in 0..GROUP_SLOTS {
            let name = group_name(slot);
            workspace.groups.push(Group { uid: dice.id(), name, is_alive: slot < GROUPS_AT_START, rights: Vec::new() });
        }
        workspace
    }

    pub fn scim(&self) -> usize {
        self.people.len() - 1
    }

    pub fn services(&self) -> std::ops::Range<usize> {
        self.users..self.scim()
    }

    /// Returns a service account that works.
    pub fn service(&self, dice: &mut Dice) -> usize {
        let slots = self.services();
        for _ in 0..16 {
            // The first ones do the most.
            let slot = slots.start + dice.index(slots.len()).min(dice.index(slots.len()));
            if self.people[slot].standing == Standing::Active {
                return slot;
            }
        }
        // The first ones never leave.
        slots.start
    }

    /// Returns an account, other than `than`, that regular traffic may affect.
    pub fn somebody(&self, than: usize, dice: &mut Dice) -> Option<usize> {
        let is_free = |slot: &usize| {
            let person = &self.people[*slot];
            person.standing == Standing::Active && !person.is_cast && *slot != than
        };
        (0..24).map(|_| dice.index(self.users)).find(is_free)
    }

    pub fn create(&mut self, pool: usize, owner: Option<usize>, dice: &mut Dice) -> Thing {
        let pool = &mut self.pools[pool];
        let thing = Thing { kind: pool.kind, uid: dice.id(), name: dice.word() as u32, owner };
        if pool.things.len() >= THINGS_AT_MOST {
            let index = dice.index(pool.things.len());
            pool.things.swap_remove(index);
        }
        pool.things.push(thing);
        thing
    }

    /// Returns one of the entities of a pool; deleting removes it and keeps the pool from running dry.
    pub fn entity(&mut self, pool: usize, is_deleted: bool, dice: &mut Dice) -> Thing {
        let index = dice.index(self.pools[pool].things.len());
        if !is_deleted {
            return self.pools[pool].things[index];
        }
        let thing = self.pools[pool].things.swap_remove(index);
        if self.pools[pool].things.len() < THINGS_AT_START / 2 {
            self.create(pool, thing.owner, dice);
        }
        thing
    }

    /// Returns a group that exists; the first one always does.
    pub fn group(&self, dice: &mut Dice) -> usize {
        (0..16).map(|_| dice.index(GROUP_SLOTS)).find(|&slot| self.groups[slot].is_alive).unwrap_or(0)
    }

    /// Opens an unused slot as a new group.
    pub fn open_group(&mut self, dice: &mut Dice) -> Option<usize> {
        let slot = self.groups.iter().position(|group| !group.is_alive)?;
        self.groups[slot].uid = dice.id();
        self.groups[slot].is_alive = true;
        Some(slot)
    }

    /// Closes a group and everything in it. The first few stay: stories use them.
    pub fn close_group(&mut self, dice: &mut Dice) -> Option<usize> {
        let slot = (0..16).map(|_| 4 + dice.index(GROUP_SLOTS - 4)).find(|&slot| self.groups[slot].is_alive)?;
        self.groups[slot].is_alive = false;
        self.groups[slot].rights.clear();
        self.nested.retain(|&(group, nested)| group != slot && nested != slot);
        for person in &mut self.people {
            person.groups &= !(1 << slot);
        }
        Some(slot)
    }
}

fn group_name(slot: usize) -> String {
    let names = &DATA.groups;
    let name = &names[slot % names.len()];
    if slot < names.len() { name.clone() } else { format!("{name} {}", slot / names.len() + 1) }
}
