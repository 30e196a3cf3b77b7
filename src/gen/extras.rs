//! `unmapped`: the vendor's fields beyond OCSF. No two entries have quite the same keys.

use super::data::{DATA, ROWS};
use super::entry::Entries;
use super::event::{Event, Outcome};
use super::json::Json;
use super::random::mix;
use super::workspace::Workspace;

impl Entries {
    pub(super) fn unmapped(&mut self, json: &mut Json, event: &Event, workspace: &Workspace) {
        let dice = &mut self.dice;
        let has = dice.word();
        json.raw(",\"unmapped\":{\"workspace_id\":\"").id(self.workspace_uid);
        json.raw("\",\"request_id\":\"").id(dice.id()).raw("\"");
        if has & (3 << 30) != 0 {
            json.raw(",\"region\":\"").raw(dice.pick(&DATA.regions)).raw("\"");
        }
        if let Some(thing) = event.thing.or(event.resource) {
            json.raw(",\"resource_id\":\"").id(thing.uid).raw("\"");
            if has & 0x60_0000 == 0 {
                json.raw(",\"resource\":{\"kind\":\"").raw(thing.kind);
                json.raw("\",\"etag\":\"").hex(mix(thing.name.into()), 12).raw("\"}");
            }
        }
        if let Some(slot) = event.subject {
            json.raw(",\"target_user_id\":\"").raw(&workspace.people[slot].uid).raw("\"");
        }
        if has & 3 == 0 && has & 4 == 0 {
            json.raw(",\"feature_flags\":{\"").raw(dice.pick(&DATA.flags[0])).raw("\":true,\"");
            json.raw(dice.pick(&DATA.flags[1]))
                .raw("\":")
                .raw(if has & (1 << 40) == 0 { "true" } else { "false" })
                .raw("}");
        }
        if has & 0x18 == 0 && !ROWS[event.row].kind.is_empty() || has & 0x70 == 0 {
            json.raw(",\"model_id\":\"").raw(dice.pick(&DATA.models)).raw("\"");
        }
        if has & 0x8180 == 0 {
            json.raw(",\"usage\":{\"credits\":").int(dice.below(5_000) as i64).raw(",\"characters\":");
            json.int(dice.below(40_000) as i64).raw(",\"quota_remaining\":").int(dice.below(9_000_000) as i64).raw("}");
        }
        if has & 0x0300_0200 == 0 {
            json.raw(",\"trace\":{\"trace_id\":\"").hex(dice.word(), 16).hex(dice.word(), 16);
            json.raw("\",\"span_id\":\"").hex(dice.word(), 16).raw("\"}");
        }
        if has & 0x1c00 == 0 {
            json.raw(",\"body_sha256\":\"");
            for _ in 0..4 {
                json.hex(dice.word(), 16);
            }
            json.raw("\"");
        }
        if has & 0xe000 == 0 {
            json.raw(",\"client\":{\"sdk\":\"elevenlabs-js\",\"sdk_version\":\"2.73.0\",\"retries\":");
            json.int(dice.below(3) as i64).raw(",\"locale\":null}");
        }
        if has & 0x403_0000 == 0 {
            json.raw(",\"subscription_tier\":\"enterprise\",\"seat_type\":\"workspace_member\"");
        }
        if has & 0x1c_0000 == 0 {
            json.raw(",\"changed_fields\":[\"name\",\"labels\"],\"ratio\":0.").int(1 + dice.below(9) as i64);
        }
        if event.outcome != Outcome::Success {
            json.raw(",\"error\":{\"type\":\"request_error\",\"retryable\":false}");
        }
        json.raw("}");
    }
}
