//! Compares pages with a plain model: filter, sort, cut.

use super::*;

/// A reproducible sequence without any order.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % end
    }
}

const START_MS: i64 = 1_767_225_600_000;
const CLASSES: [(i64, &str); 5] = [
    (3001, "Account Change"),
    (3002, "Authentication"),
    (3004, "Entity Management"),
    (3005, "User Access Management"),
    (3006, "Group Management"),
];

fn event(random: &mut Random, number: u64) -> Value {
    let (class_uid, class_name) = CLASSES[random.below(5) as usize];
    // Few times and two months, so that ties and partitions are everywhere.
    let time = START_MS + random.below(12) as i64 * 1000 + random.below(2) as i64 * 40 * 86_400_000;
    json!({
        "id": format!("{:04x}-{number}", random.below(1 << 16)), "time": time, "class_uid": class_uid,
        "class_name": class_name, "activity_id": 1, "activity_name": format!("Act {}", random.below(3)),
        "actor": {"user": {"uid": format!("user {}", random.below(4))}}, "status_id": 1, "message": "m",
    })
}

/// Makes a lake whose files overlap in time, and its events, newest first.
fn mixed(env: &Env, files: u64, events: u64) -> Vec<Value> {
    let mut random = Random(7);
    let mut all = Vec::new();
    for file in 0..files {
        let part: Vec<Value> = (0..events).map(|number| event(&mut random, file * events + number)).collect();
        let name = format!("part-{file}.ndjson");
        env.write(&name, lines(&part.iter().map(Value::to_string).collect::<Vec<_>>()));
        env.ok(["ingest", &name]);
        all.extend(part);
    }
    all.sort_by_key(|event| std::cmp::Reverse(place(event)));
    all
}

fn place(event: &Value) -> (i64, String) {
    (event["time"].as_i64().unwrap(), event["id"].as_str().unwrap().to_string())
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[test]
fn any_filter_and_any_limit_give_what_a_plain_model_gives() {
    let env = Env::new();
    let all = mixed(&env, 4, 60);
    let key = reader(&env);
    let served = Served::start(&env, "rate_per_minute = 0");
    let mut random = Random(3);
    for limit in [1, 3, 7, 50, 100] {
        assert_eq!(ids(&served.walk(&key, &format!("limit={limit}"))), ids(&all), "limit {limit}");
    }
    for round in 0..40 {
        let mut query = format!("limit={}", [2, 5, 100][random.below(3) as usize]);
        let mut expected = all.clone();
        if random.below(2) == 0 {
            let actor = format!("user {}", random.below(5));
            expected.retain(|event| event["actor"]["user"]["uid"] == *actor);
            query += &format!("&actor_uid={}", actor.replace(' ', "+"));
        }
        if random.below(2) == 0 {
            let (_, class) = CLASSES[random.below(5) as usize];
            expected.retain(|event| event["class_name"] == class);
            query += &format!("&class_name={}", class.replace(' ', ["+", "%20"][random.below(2) as usize]));
        }
        if random.below(2) == 0 {
            let name = format!("Act {}", random.below(3));
            expected.retain(|event| event["activity_name"] == *name);
            query += &format!("&activity_name={}", name.replace(' ', "+"));
        }
        for (name, is_lower) in [("time_from_unix_ms", true), ("time_to_unix_ms", false)] {
            if random.below(2) == 0 {
                // Both bounds are inclusive, and lie between the events as often as on them.
                let bound = START_MS + random.below(26) as i64 * 500 + random.below(2) as i64 * 40 * 86_400_000;
                expected.retain(|event| {
                    let time = event["time"].as_i64().unwrap();
                    if is_lower { time >= bound } else { time <= bound }
                });
                query += &format!("&{name}={bound}");
            }
        }
        assert_eq!(ids(&served.walk(&key, &query)), ids(&expected), "round {round}: {query}");
    }
    for query in ["activity_name=act+0", "actor_uid=", "time_from_unix_ms=9223372036854775807", "time_to_unix_ms=-1"] {
        assert!(served.walk(&key, query).is_empty(), "{query}: filters are exact");
    }
}

#[test]
fn entries_that_arrive_while_a_client_pages_neither_repeat_nor_shift() {
    let env = Env::new();
    let mut all = mixed(&env, 2, 60);
    let key = reader(&env);
    let served = Served::start(&env, "rate_per_minute = 0");
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    let mut random = Random(11);
    for turn in 0_u64.. {
        let next = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = served.page(&key, &format!("limit=20{next}"));
        let entries = page["entries"].as_array().unwrap().clone();
        // Events that are committed now lie on both sides of the client's position.
        let late: Vec<Value> = (0..8).map(|number| event(&mut random, 1000 + turn * 8 + number)).collect();
        let last = entries.last().map(place);
        seen.extend(entries);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_string()),
            None => break,
        }
        let name = format!("late-{turn}.ndjson");
        env.write(&name, lines(&late.iter().map(Value::to_string).collect::<Vec<_>>()));
        env.ok(["ingest", &name]);
        // Events behind the position are visible from here on, those before it are not.
        all.extend(late.into_iter().filter(|event| Some(place(event)) < last));
    }
    all.sort_by_key(|event| std::cmp::Reverse(place(event)));
    assert_eq!(ids(&seen), ids(&all));
    assert!(seen.len() > 130, "{} entries: nothing arrived behind the position", seen.len());
}

#[test]
fn a_long_walk_gives_every_entry_of_the_lake_once_and_in_order() {
    let env = Env::with_events(5_000);
    let key = reader(&env);
    // Nothing is cached for long, so everything is read again and again.
    let served = Served::start(&env, "rate_per_minute = 0\ncache = \"1MiB\"");
    let entries = served.walk(&key, "limit=100");
    assert!(entries.windows(2).all(|pair| place(&pair[0]) > place(&pair[1])), "out of order");
    // Members beyond the event were filled in; these come as they are or not at all.
    let came = values(&env.ok(["export", "account_change", "authentication", "entity_management"]));
    let came: Vec<Value> =
        came.into_iter().chain(values(&env.ok(["export", "user_access", "group_management"]))).collect();
    let fields: Vec<Vec<String>> =
        came.iter().map(|event| event.as_object().unwrap().keys().cloned().collect()).collect();
    let by_id: BTreeMap<&str, &Vec<String>> = ids(&came).into_iter().zip(&fields).collect();
    let stripped = entries.into_iter().map(|mut entry| {
        let known = by_id[entry["id"].as_str().unwrap()];
        entry.as_object_mut().unwrap().retain(|name, _| known.contains(name));
        entry
    });
    assert_same_events(&came, &stripped.collect::<Vec<_>>());
}

#[test]
fn identical_events_without_a_uid_are_all_served_each_with_an_id() {
    let env = Env::new();
    let line = r#"{"class_uid":3002,"time":1767225600000,"activity_id":1,"message":"the same"}"#;
    let other = r#"{"class_uid":3002,"time":1767225600000,"activity_id":1,"message":"another"}"#;
    env.write("in.ndjson", lines(&[line, other, line, line]));
    env.ok(["ingest", "in.ndjson"]);
    let key = reader(&env);
    let served = Served::start(&env, "rate_per_minute = 0");
    let whole = served.walk(&key, "");
    let mut found: Vec<&str> = ids(&whole);
    for limit in [1, 2, 3] {
        assert_eq!(ids(&served.walk(&key, &format!("limit={limit}"))), found, "limit {limit}");
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_cursor_is_for_its_filters_and_nobody_makes_one() {
    let env = Env::new();
    mixed(&env, 1, 60);
    let key = reader(&env);
    let served = Served::start(&env, "rate_per_minute = 0");
    let page = served.page(&key, "limit=5&activity_name=Act+0");
    let cursor = page["next_cursor"].as_str().unwrap();
    let ask = |query: &str| served.get(&format!("{PATH}?{query}"), &[("xi-api-key", &key)]);
    let is_refused = |query: &str| {
        let answer = ask(query);
        assert_eq!(answer.code(), (400, "invalid_cursor".to_string()), "{query}");
        assert_eq!(answer.json()["detail"]["param"], "cursor");
    };
    is_refused(&format!("cursor={cursor}"));
    is_refused(&format!("cursor={cursor}&activity_name=Act+1"));
    is_refused(&format!("cursor={cursor}&activity_name=Act+0&time_from_unix_ms=0"));
    is_refused("cursor=&activity_name=Act+0");
    is_refused(&format!("cursor={}&activity_name=Act+0", &cursor[..cursor.len() - 2]));
    is_refused("cursor=%F0%9F%A6%80&activity_name=Act+0");
    // The limit may change, and unknown parameters are nobody's business.
    assert_eq!(ask(&format!("cursor={cursor}&activity_name=Act+0&limit=1&offset=7&offset=8")).status, 200);
}

#[test]
fn all_that_is_wrong_with_parameters_is_said() {
    let env = Env::with_small();
    let key = reader(&env);
    let served = Served::start(&env, "rate_per_minute = 0");
    let answer = served.get(&format!("{PATH}?limit=101&class_name=account_change"), &[("xi-api-key", &key)]);
    assert_eq!(answer.status, 422);
    assert_snapshot!(answer.text(), @r#"{"detail":[{"loc":["query","limit"],"msg":"Input should be from 1 to 100","type":"less_than_equal"},{"loc":["query","class_name"],"msg":"Input should be one of Account Change, Authentication, Entity Management, User Access Management, Group Management","type":"enum"}]}"#);
    for query in ["limit=0", "limit=", "limit=1.5", "limit=1&limit=1", "time_from_unix_ms=now", "class_name="] {
        let answer = served.get(&format!("{PATH}?{query}"), &[("xi-api-key", &key)]);
        assert_eq!(answer.status, 422, "{query}");
        assert!(answer.json()["detail"][0]["loc"][0] == "query", "{query}: {}", answer.text());
    }
}
