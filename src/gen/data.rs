//! The invented company: its people, places and tools, and the name of each activity.
//!
//! All of it is in `data.json`, which can be edited without knowing the code; plots and shares are in the code. The
//! order of a list is part of the meaning of a seed: another order gives other entries.

use std::sync::LazyLock;

use serde::Deserialize;

use super::activity::Activity;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub domain: &'static str,
    pub names: Vec<Name>,
    /// Names of people in Japan.
    pub japanese_names: Vec<Name>,
    /// The jobs of service accounts; an account is named after its job and its stage.
    pub jobs: Vec<&'static str>,
    pub stages: Vec<&'static str>,
    pub cities: Vec<City>,
    pub desk_agents: Vec<Agent>,
    pub pocket_agents: Vec<Agent>,
    /// User agents of service accounts.
    pub program_agents: Vec<Agent>,
    pub provisioning_agent: Agent,
    pub script_agent: Agent,
    /// Roles of shared resources; a role that is listed twice is given twice as often.
    pub share_roles: Vec<&'static str>,
    /// Privileges in the workspace.
    pub seats: Vec<&'static str>,
    pub group_rights: Vec<&'static str>,
    /// Kinds of entities that people share with one another.
    pub shared_kinds: Vec<&'static str>,
    pub groups: Vec<String>,
    pub policies: Vec<&'static str>,
    pub logon_faults: Vec<&'static str>,
    /// The way of logging on, with its OCSF id; services use the last one.
    pub protocols: Vec<Caption>,
    pub factors: Vec<Caption>,
    pub regions: Vec<&'static str>,
    pub models: Vec<&'static str>,
    /// Feature flags: an event has one of each list.
    pub flags: [Vec<&'static str>; 2],
    /// First words of names: a thing is named after a first and a second word, a key after its use.
    pub first_words: Vec<&'static str>,
    pub second_words: Vec<&'static str>,
    pub key_names: Vec<&'static str>,
    pub activities: Vec<Activity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    pub first: &'static str,
    pub first_ascii: &'static str,
    pub last: &'static str,
    pub last_ascii: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct City {
    pub name: &'static str,
    pub country: &'static str,
    pub continent: &'static str,
    /// A text, because coordinates are only ever copied to the output.
    pub lat: &'static str,
    pub long: &'static str,
    /// The offset of standard time: summer time would only shift the load by an hour.
    pub offset_minutes: i64,
    pub weight: u64,
}

/// A user agent and the device that it runs on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub user_agent: &'static str,
    pub host_prefix: &'static str,
    pub device: Device,
    pub os: Option<Os>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub type_id: i64,
    pub r#type: &'static str,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Os {
    pub name: &'static str,
    pub type_id: i64,
    pub version: Option<&'static str>,
    pub build: Option<&'static str>,
}

/// A name with its OCSF id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caption {
    pub name: &'static str,
    pub id: i64,
}

pub static DATA: LazyLock<Data> =
    LazyLock::new(|| serde_json::from_str(include_str!("data.json")).expect("data that a test has read"));

/// The activities of the data.
pub static ROWS: LazyLock<&'static [Activity]> = LazyLock::new(|| &DATA.activities);

/// Returns the row of a name and an activity id, both of which are in the table.
pub fn find(name: &str, id: u16) -> usize {
    ROWS.iter().position(|row| row.name == name && row.id == id).expect("the name and id of a row of the table")
}
