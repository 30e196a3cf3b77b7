//! The actors: people, service accounts and the provisioning client, with their addresses, sessions and ledgers.

use std::collections::HashSet;

use super::json::Json;
use super::places::{CITIES, SCIM_AGENT, Station};
use super::random::{Dice, Id, Uuid};

pub const DOMAIN: &str = "acme.example";

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
    /// Deleted: the slot waits for somebody else.
    Gone,
    Active,
    /// Access is being taken away before the account goes.
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
    /// One or two; an empty text is none.
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
    /// Has a part in a story: regular traffic leaves the account and its access alone.
    pub is_cast: bool,
    /// Never acts in regular traffic.
    pub is_silent: bool,
    pub has_mfa: bool,
    /// Index of the way the account logs on.
    pub protocol: u8,
    pub city: u8,
    pub stations: [Station; 2],
    pub session: Session,
    /// The key that was there before the period; it is used, never opened or closed.
    pub old_key: Id,
    pub keys: Vec<Thing>,
    pub grants: Vec<Grant>,
    /// One bit per slot of the group table.
    pub groups: u64,
}

/// Makes accounts whose logins are unique.
#[derive(Debug, Default)]
pub struct Register {
    taken: HashSet<String>,
}

impl Register {
    pub fn person(&mut self, kind: Kind, dice: &mut Dice) -> Person {
        let city = city(dice);
        match kind {
            Kind::Service => {
                let name = format!("svc-{}-{}", dice.pick(&JOBS), dice.pick(&STAGES));
                let login = self.unique(name);
                let email = format!("{login}@iam.{DOMAIN}");
                let racks = [Station::rack(city, dice), Station::rack(city, dice)];
                account(kind, &login, email, &login, city, racks, dice)
            }
            Kind::System => {
                let mut rack = Station::rack(city, dice);
                rack.agent = SCIM_AGENT;
                let email = format!("okta-scim@iam.{DOMAIN}");
                account(kind, "okta-scim", email, "Okta SCIM provisioning", city, [rack, rack], dice)
            }
            Kind::User | Kind::Admin => {
                let names = if CITIES[usize::from(city)].country == "JP" { &JAPANESE } else { &NAMES };
                let (first, last) = (dice.pick(names), dice.pick(names));
                let full_name = if names == &JAPANESE {
                    format!("{} {}", last.2, first.0)
                } else {
                    format!("{} {}", first.0, last.2)
                };
                let login = self.unique(format!("{}.{}", first.1, last.3));
                let email = format!("{login}@{DOMAIN}");
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
    json.raw(r#","full_name":"#).text(full_name).raw(r#","domain":"#).text(DOMAIN).raw("}");
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
    let total: u64 = CITIES.iter().map(|city| city.weight).sum();
    let mut left = dice.below(total);
    for (index, city) in CITIES.iter().enumerate() {
        if left < city.weight {
            return index as u8;
        }
        left -= city.weight;
    }
    0
}

const JOBS: [&str; 12] = [
    "tts-batch",
    "dubbing",
    "ivr-gateway",
    "crm-sync",
    "ci",
    "archive",
    "agent-runtime",
    "billing-export",
    "voice-qa",
    "podcast",
    "helpdesk",
    "telemetry",
];
const STAGES: [&str; 4] = ["prod", "staging", "eu", "us"];

/// First name as written and in ASCII, last name as written and in ASCII.
type Name = (&'static str, &'static str, &'static str, &'static str);

const NAMES: [Name; 40] = [
    ("Anna", "anna", "Schmidt", "schmidt"),
    ("Jürgen", "juergen", "Müller", "mueller"),
    ("Zoë", "zoe", "O'Brien", "obrien"),
    ("Łukasz", "lukasz", "Wiśniewski", "wisniewski"),
    ("Małgorzata", "malgorzata", "Dąbrowska", "dabrowska"),
    ("James", "james", "Walker", "walker"),
    ("Olivia", "olivia", "Bennett", "bennett"),
    ("François", "francois", "Lefèvre", "lefevre"),
    ("Élodie", "elodie", "Durand", "durand"),
    ("José", "jose", "García", "garcia"),
    ("Inés", "ines", "Núñez", "nunez"),
    ("João", "joao", "Gonçalves", "goncalves"),
    ("Priya", "priya", "Raghavan", "raghavan"),
    ("Arjun", "arjun", "Iyer", "iyer"),
    ("Wei", "wei", "Lim", "lim"),
    ("Mei Ling", "meiling", "Tan", "tan"),
    ("Chloe", "chloe", "Nguyen", "nguyen"),
    ("Oleksandr", "oleksandr", "Шевченко", "shevchenko"),
    ("Наталія", "nataliia", "Bondarenko", "bondarenko"),
    ("Chidi", "chidi", "Okafor", "okafor"),
    ("Amara", "amara", "Adeyemi", "adeyemi"),
    ("Liam", "liam", "Tremblay", "tremblay"),
    ("Emma", "emma", "Johnson", "johnson"),
    ("Noah", "noah", "Williams", "williams"),
    ("Sophia", "sophia", "Martinez", "martinez"),
    ("Ethan", "ethan", "Kowalski", "kowalski"),
    ("Mia", "mia", "Fischer", "fischer"),
    ("Lars", "lars", "Bjørnstad", "bjornstad"),
    ("Sören", "soeren", "Großmann", "grossmann"),
    ("Katarzyna", "katarzyna", "Lewandowska", "lewandowska"),
    ("Piotr", "piotr", "Zieliński", "zielinski"),
    ("Marta", "marta", "Rossi", "rossi"),
    ("Ahmed", "ahmed", "El-Sayed", "elsayed"),
    ("Yasmin", "yasmin", "Haddad", "haddad"),
    ("Daniel", "daniel", "Cohen", "cohen"),
    ("Grace", "grace", "Thompson", "thompson"),
    ("Victor", "victor", "Petrov", "petrov"),
    ("Hannah", "hannah", "Meier", "meier"),
    ("Rafael", "rafael", "Souza", "souza"),
    ("Ingrid", "ingrid", "van der Berg", "vanderberg"),
];

const JAPANESE: [Name; 40] = {
    let some: [Name; 8] = [
        ("太郎", "taro", "山田", "yamada"),
        ("花子", "hanako", "佐藤", "sato"),
        ("健太", "kenta", "鈴木", "suzuki"),
        ("さくら", "sakura", "高橋", "takahashi"),
        ("翔", "sho", "田中", "tanaka"),
        ("美咲", "misaki", "渡辺", "watanabe"),
        ("蓮", "ren", "伊藤", "ito"),
        ("葵", "aoi", "中村", "nakamura"),
    ];
    // As long as the other list, so that both have one type.
    let mut all = [some[0]; 40];
    let mut at = 0;
    while at < all.len() {
        all[at] = some[at % some.len()];
        at += 1;
    }
    all
};
