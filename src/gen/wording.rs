//! Templates, filled in: messages, paths and the names of things.

use super::data::{DATA, ROWS};
use super::event::{Event, Outcome};
use super::json::Json;
use super::people::Thing;
use super::workspace::Workspace;

/// Writes the event as a sentence without its subject.
pub(super) fn message(json: &mut Json, event: &Event, workspace: &Workspace) {
    if let Outcome::Failure(_, detail) = event.outcome {
        json.raw("tried and failed (").raw(detail).raw("): ");
    }
    let mut rest = ROWS[event.row].message;
    while let Some((text, after)) = rest.split_once('{') {
        json.raw(text);
        match (after.as_bytes()[0], event.thing.or(event.resource)) {
            (b'E', Some(thing)) => drop(thing_name(json, &thing)),
            (b'S', _) => drop(event.subject.map(|slot| json.raw(&workspace.people[slot].login))),
            (b'G', _) => drop(event.group.map(|slot| json.escaped(&workspace.groups[slot].name))),
            (b'P', _) => drop(json.raw(event.privileges[0])),
            _ => drop(json.raw("it")),
        }
        rest = &after[2..];
    }
    json.raw(rest);
}

/// Writes the path of the call, with the ids of its objects.
pub(super) fn path(json: &mut Json, event: &Event, workspace: &Workspace) {
    let mut rest = ROWS[event.row].path;
    while let Some((text, after)) = rest.split_once('{') {
        json.raw(text);
        match after.as_bytes()[0] {
            b'e' => drop(event.thing.or(event.resource).map(|thing| json.id(thing.uid))),
            b'g' => drop(event.group.map(|slot| json.id(workspace.groups[slot].uid))),
            // The owner of a key is the subject of its entry.
            _ => drop(event.subject.map(|slot| json.raw(&workspace.people[slot].uid))),
        }
        rest = &after[2..];
    }
    json.raw(rest);
}

/// Writes the name that a thing's number stands for; its letters need no escape.
pub(super) fn thing_name<'j>(json: &'j mut Json, thing: &Thing) -> &'j mut Json {
    let (first, second, keys) = (&DATA.first_words, &DATA.second_words, &DATA.key_names);
    let number = thing.name;
    let tail = i64::from(number >> 16) % 900 + 100;
    match thing.kind {
        "api_key" | "user_api_key" => json.raw(keys[number as usize % keys.len()]).raw("-").int(tail),
        "invitation" => json.raw("guest").int(tail).raw("@partner.example"),
        "domain" => json.raw("media").int(tail).raw(".acme.example"),
        _ => json
            .raw(first[number as usize % first.len()])
            .raw(" ")
            .raw(second[(number >> 8) as usize % second.len()])
            .raw(" ")
            .int(tail),
    }
}
