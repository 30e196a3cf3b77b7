//! The people's places and tools: cities, network addresses, user agents.
//!
//! Addresses come from the ranges set aside for documentation and benchmarks, so that none of them is anybody's.

use super::data::{Agent, City, DATA};
use super::json::Json;
use super::random::Dice;

/// Returns the city of a name in the data.
pub fn city(name: &str) -> u8 {
    let place = DATA.cities.iter().position(|city| city.name == name);
    place.expect("a city of the data") as u8
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ip {
    V4([u8; 4]),
    /// An address in 2001:db8::/32.
    V6(u64),
}

/// A place to work at: device, network address and city.
#[derive(Debug, Clone, Copy)]
pub struct Station {
    pub ip: Ip,
    pub agent: &'static Agent,
    pub city: u8,
    pub host: u32,
    pub port: u16,
}

impl Station {
    /// Returns an office: few addresses, shared by everybody in the city.
    pub fn office(city: u8, dice: &mut Dice) -> Station {
        let ip = Ip::V4([203, 0, 113, city * 4 + 1 + dice.below(2) as u8]);
        Station { ip, agent: one(&DATA.desk_agents, dice), city, host: dice.word() as u32, port: port(dice) }
    }

    pub fn home(city: u8, dice: &mut Dice) -> Station {
        let word = dice.word();
        let ip = match word % 5 {
            0 => Ip::V6(dice.word()),
            _ => Ip::V4([198, 18 + (word >> 8) as u8 % 2, (word >> 16) as u8, (word >> 24) as u8 | 1]),
        };
        let agents = if dice.chance(300) { &DATA.pocket_agents } else { &DATA.desk_agents };
        Station { ip, agent: one(agents, dice), city, host: dice.word() as u32, port: port(dice) }
    }

    /// Returns a place where programs run.
    pub fn rack(city: u8, dice: &mut Dice) -> Station {
        let ip = Ip::V4([198, 51, 100, 1 + dice.below(250) as u8]);
        Station { ip, agent: one(&DATA.program_agents, dice), city, host: dice.word() as u32, port: port(dice) }
    }

    /// Returns an address that nobody of the company uses.
    pub fn outside(last: u8, city: u8, dice: &mut Dice) -> Station {
        let ip = Ip::V4([192, 0, 2, last]);
        Station { ip, agent: &DATA.script_agent, city, host: dice.word() as u32, port: port(dice) }
    }
}

fn one(agents: &'static [Agent], dice: &mut Dice) -> &'static Agent {
    &agents[dice.index(agents.len())]
}

fn port(dice: &mut Dice) -> u16 {
    32_768 + dice.below(28_000) as u16
}

impl Json {
    /// Appends an address, without quotes.
    pub fn ip(&mut self, ip: Ip) -> &mut Self {
        match ip {
            Ip::V4([a, b, c, d]) => {
                self.int(a.into()).raw(".").int(b.into()).raw(".");
                self.int(c.into()).raw(".").int(d.into())
            }
            Ip::V6(word) => {
                self.raw("2001:db8");
                for shift in [0, 16, 32, 48] {
                    // A group has no leading zero, and none of ours is 0, so the text is the canonical one.
                    self.raw(":").hex((word << shift) | (1 << 63), 4);
                }
                self.raw(":0:1")
            }
        }
    }
}

/// Returns the `location` object of each city.
pub fn locations() -> Vec<Vec<u8>> {
    let location = |city: &City| {
        let mut json = Json::default();
        json.raw(r#"{"city":"#).text(city.name).raw(r#","country":"#).text(city.country);
        json.raw(r#","continent":"#).text(city.continent).raw(r#","lat":"#).raw(city.lat);
        json.raw(r#","long":"#).raw(city.long).raw("}");
        json.bytes
    };
    DATA.cities.iter().map(location).collect()
}
