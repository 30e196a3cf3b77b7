//! Where people sit and what they sit at: cities, network addresses, user agents.
//!
//! Addresses come from the ranges set aside for documentation and benchmarks, so that none of them is anybody's.

use super::json::Json;
use super::random::Dice;

pub struct City {
    pub name: &'static str,
    pub country: &'static str,
    pub continent: &'static str,
    /// Text, because coordinates are only ever copied to the output.
    pub lat: &'static str,
    pub long: &'static str,
    /// The offset of standard time: summer time would only shift the load by an hour.
    pub offset_minutes: i64,
    pub weight: u64,
}

const fn city(
    name: &'static str,
    country: &'static str,
    continent: &'static str,
    lat: &'static str,
    long: &'static str,
    offset_minutes: i64,
    weight: u64,
) -> City {
    City { name, country, continent, lat, long, offset_minutes, weight }
}

pub const CITIES: [City; 16] = [
    city("Berlin", "DE", "Europe", "52.5200", "13.4050", 60, 14),
    city("London", "GB", "Europe", "51.5074", "-0.1278", 0, 16),
    city("Warszawa", "PL", "Europe", "52.2297", "21.0122", 60, 12),
    city("New York", "US", "North America", "40.7128", "-74.0060", -300, 18),
    city("San Francisco", "US", "North America", "37.7749", "-122.4194", -480, 10),
    city("Paris", "FR", "Europe", "48.8566", "2.3522", 60, 7),
    city("Madrid", "ES", "Europe", "40.4168", "-3.7038", 60, 5),
    city("São Paulo", "BR", "South America", "-23.5505", "-46.6333", -180, 4),
    city("Bengaluru", "IN", "Asia", "12.9716", "77.5946", 330, 8),
    city("Singapore", "SG", "Asia", "1.3521", "103.8198", 480, 4),
    city("東京", "JP", "Asia", "35.6762", "139.6503", 540, 4),
    city("Sydney", "AU", "Oceania", "-33.8688", "151.2093", 600, 3),
    city("Toronto", "CA", "North America", "43.6532", "-79.3832", -300, 4),
    city("Zürich", "CH", "Europe", "47.3769", "8.5417", 60, 3),
    city("Lagos", "NG", "Africa", "6.5244", "3.3792", 60, 2),
    city("Kyiv", "UA", "Europe", "50.4501", "30.5234", 120, 3),
];

/// Indexes of cities that stories name.
pub const BERLIN: u8 = 0;
pub const SINGAPORE: u8 = 9;
pub const TOKYO: u8 = 10;
pub const SAO_PAULO: u8 = 7;
pub const LAGOS: u8 = 14;

pub struct Agent {
    pub user_agent: &'static str,
    pub host_prefix: &'static str,
    /// `type_id` and `type` of the device, as JSON.
    pub device: &'static str,
    /// Its `os`, if anything is known, with a comma before.
    pub os: &'static str,
}

const fn agent(user_agent: &'static str, host_prefix: &'static str, device: &'static str, os: &'static str) -> Agent {
    Agent { user_agent, host_prefix, device, os }
}

pub const AGENTS: [Agent; 10] = [
    agent(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
        "mbp-",
        r#""type_id":3,"type":"Laptop""#,
        r#","os":{"name":"macOS","type_id":300,"version":"15.2"}"#,
    ),
    agent(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
        "WS-",
        r#""type_id":2,"type":"Desktop""#,
        r#","os":{"name":"Windows 11 Pro","type_id":100,"build":"26100"}"#,
    ),
    agent(
        "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
        "lnx-",
        r#""type_id":2,"type":"Desktop""#,
        r#","os":{"name":"Ubuntu","type_id":200,"version":"24.04"}"#,
    ),
    agent(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0",
        "NB-",
        r#""type_id":3,"type":"Laptop""#,
        r#","os":{"name":"Windows 11 Enterprise","type_id":100,"build":"22631"}"#,
    ),
    agent(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1",
        "iphone-",
        r#""type_id":5,"type":"Mobile""#,
        r#","os":{"name":"iOS","type_id":301,"version":"18.2"}"#,
    ),
    agent(
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
        "android-",
        r#""type_id":5,"type":"Mobile""#,
        r#","os":{"name":"Android","type_id":201,"version":"15"}"#,
    ),
    // What the vendor's device objects have when nothing is known about the client.
    agent("elevenlabs-python/2.78.0", "worker-", r#""type_id":99,"type":"Unknown""#, ""),
    agent(
        "elevenlabs-js/2.73.0 node/22.11.0",
        "ip-10-0-",
        r#""type_id":1,"type":"Server""#,
        r#","os":{"name":"Amazon Linux","type_id":200,"version":"2023"}"#,
    ),
    agent("Okta SCIM Client 1.0.0", "scim-", r#""type_id":99,"type":"Unknown""#, ""),
    agent("python-requests/2.32.3", "host-", r#""type_id":99,"type":"Unknown""#, ""),
];

/// Agents 0..4 are desks, 4..6 pockets, 6..8 programs.
pub const SCIM_AGENT: u8 = 8;
pub const SCRIPT_AGENT: u8 = 9;

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
    pub agent: u8,
    pub city: u8,
    pub host: u32,
    pub port: u16,
}

impl Station {
    /// The office: few addresses, shared by everybody in the city.
    pub fn office(city: u8, dice: &mut Dice) -> Station {
        let ip = Ip::V4([203, 0, 113, city * 4 + 1 + dice.below(2) as u8]);
        Station { ip, agent: dice.below(4) as u8, city, host: dice.word() as u32, port: port(dice) }
    }

    pub fn home(city: u8, dice: &mut Dice) -> Station {
        let word = dice.word();
        let ip = match word % 5 {
            0 => Ip::V6(dice.word()),
            _ => Ip::V4([198, 18 + (word >> 8) as u8 % 2, (word >> 16) as u8, (word >> 24) as u8 | 1]),
        };
        let agent = if dice.chance(300) { 4 + dice.below(2) } else { dice.below(4) };
        Station { ip, agent: agent as u8, city, host: dice.word() as u32, port: port(dice) }
    }

    /// Where programs run.
    pub fn rack(city: u8, dice: &mut Dice) -> Station {
        let ip = Ip::V4([198, 51, 100, 1 + dice.below(250) as u8]);
        Station { ip, agent: 6 + dice.below(2) as u8, city, host: dice.word() as u32, port: port(dice) }
    }

    /// An address that nobody of the company uses.
    pub fn outside(last: u8, city: u8, dice: &mut Dice) -> Station {
        Station { ip: Ip::V4([192, 0, 2, last]), agent: SCRIPT_AGENT, city, host: dice.word() as u32, port: port(dice) }
    }
}

fn port(dice: &mut Dice) -> u16 {
    32_768 + dice.below(28_000) as u16
}

impl Json {
    /// An address, without quotes.
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

/// The `location` object of each city.
pub fn locations() -> Vec<Vec<u8>> {
    let location = |city: &City| {
        let mut json = Json::default();
        json.raw(r#"{"city":"#).text(city.name).raw(r#","country":"#).text(city.country);
        json.raw(r#","continent":"#).text(city.continent).raw(r#","lat":"#).raw(city.lat);
        json.raw(r#","long":"#).raw(city.long).raw("}");
        json.bytes
    };
    CITIES.iter().map(location).collect()
}
