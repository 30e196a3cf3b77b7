//! The actors: people, service accounts and the provisioning client, with their addresses, sessions and ledgers.

use std::collections::HashSet;

use super::data::DATA;
use super::json::Json;
use super::places::Station;
use super::random::{Dice, Id, Uuid};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    User,
    Admin,
    System,
    Service,
}

impl Kind {
    fn caption(self) -> (&'static str, i64) {
        match self {
            Kind::User => ("User", 1),
            Kind::Admin => ("Admin", 2),
            Kind::System => ("System", 3),
            Kind::Service => ("Service", 4),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Known by name, but not created yet.
    Expected,
    /// Deleted: the slot waits for another account.
    Gone,
    Active,
    /// Access is being removed before the account goes.
    Leaving,
    Disabled,
}

/// Something with an id and a name: a key, a voice, a webhook.
#[derive(Debug, Clone, Copy)]
pub struct Thing {
    pub kind: &'static str,
    pub uid: Id,
    /// The name is made from this number.
    pub name: u32,
    pub owner: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub struct Grant {
    /// One or two; an empty text means none.
    pub privileges: [&'static str; 2],
    pub resource: Option<Thing>,
}

#[derive(Debug, Clone, Copy)]
pub struct Session {
    pub uid: Uuid,
    pub created_ms: i64,
    pub station: Station,
    pub is_mfa: bool,
}

#[derive(Debug)]
pub struct Person {
    pub uid: String,
    pub login: String,
    pub email: String,
    /// The OCSF `user` object as JSON.
    pub user: Vec<u8>,
    pub kind: Kind,
    pub standing: Standing,
    /// Whether it has a part in a story: regular traffic leaves the account and its access alone.
    pub is_cast: bool,
    /// Whether it never acts in regular traffic.
    pub is_silent: bool,
    pub has_mfa: bool,
    /// Index of the account's way to log on.
    pub protocol: u8,
    pub city: u8,
    pub stations: [Station; 2],
    pub session: Session,
    /// The key that existed before the period; it is used, never opened or closed.
    pub old_key: Id,
    pub keys: Vec<Thing>,
    pub grants: Vec<Grant>,
    /// One bit per slot of the group table.
    pub groups: u64,
}

/// A register of accounts whose logins are unique.
#[derive(Debug, Default)]
pub struct Register {
    taken: HashSet<String>,
}

impl Register {
    pub fn person(&mut self, kind: Kind, dice: &mut Dice) -> Person {
        let city = city(dice);
        match kind {
            Kind::Service => {
                let name = format!("svc-{}-{}", dice.pick(&DATA.jobs), dice.pick(&DATA.stages));
                let login = self.unique(name);
                let email = format!("{login}@iam.{}", DATA.domain);
                let racks = [Station::rack(city, dice), Station::rack(city, dice)];
                account(kind, &login, email, &login, city, racks, dice)
            }
            Kind::System => {
                let rack = Station { agent: &DATA.provisioning_agent, ..Station::rack(city, dice) };
                let email = format!("okta-scim@iam.{}", DATA.domain);
                account(kind, "okta-scim", email, "Okta SCIM provisioning", city, [rack, rack], dice)
            }
            Kind::User | Kind::Admin => {
                let is_japanese = DATA.cities[usize::from(city)].country == "JP";
                let names = if is_japanese { &DATA.japanese_names } else { &DATA.names };
                // Names are drawn from equally many everywhere, so that one more name in a list leaves the people of
                // the other list alone.
                let mut name = || &names[dice.index(DATA.names.len()) % names.len()];
                let (first, last) = (name(), name());
                let full_name = if is_japanese {
                    format!("{} {}", last.last, first.first)
                } else {
                    format!("{} {}", first.first, last.last)
                };
                let login = self.unique(format!("{}.{}", first.first_ascii, last.last_ascii));
                let email = format!("{login}@{}", DATA.domain);
                let stations = [Station::office(city, dice), Station::home(city, dice)];
                account(kind, &login, email, &full_name, city, stations, dice)
            }
        }
    }

    fn unique(&mut self, name: String) -> String {
        let mut login = name.clone();
        let mut number = 2;
        while !self.taken.insert(login.clone()) {
            login = format!("{name}{number}");
            number += 1;
        }
        login
    }
}

fn account(
    kind: Kind,
    login: &str,
    email: String,
    full_name: &str,
    city: u8,
    stations: [Station; 2],
    dice: &mut Dice,
) -> Person {
    let uid: String = dice.id().0.iter().map(|&digit| char::from(digit)).collect();
    let (caption, type_id) = kind.caption();
    let mut json = Json::default();
    json.raw(r#"{"name":"#).text(login).raw(r#","uid":"#).text(&uid).raw(r#","type":"#).text(caption);
    json.raw(r#","type_id":"#).int(type_id).raw(r#","email_addr":"#).text(&email);
    json.raw(r#","full_name":"#).text(full_name).raw(r#","domain":"#).text(DATA.domain).raw("}");
    let session = Session { uid: dice.uuid(), created_ms: i64::MIN, station: stations[0], is_mfa: false };
    Person {
        uid,
        login: login.to_owned(),
        email,
        user: json.bytes,
        kind,
        standing: Standing::Active,
        is_cast: false,
        is_silent: false,
        has_mfa: kind == Kind::Admin || (kind == Kind::User && dice.chance(820)),
        protocol: if kind == Kind::User || kind == Kind::Admin { dice.pick(&[0, 0, 0, 1, 1, 2]) } else { 3 },
        city,
        stations,
        session,
        old_key: dice.id(),
        keys: Vec::new(),
        grants: Vec::new(),
        groups: 0,
    }
}

fn city(dice: &mut Dice) -> u8 {
    let total: u64 = DATA.cities.iter().map(|city| city.weight).sum();
    let mut left = dice.below(total);
    for (index, city) in DATA.cities.iter().enumerate() {
        if left < city.weight {
            return index as u8;
        }
        left -= city.weight;
    }
    0
}
