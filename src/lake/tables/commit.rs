//! The text of a Delta commit, which follows from the ledger entry alone.
//!
//! The Delta tables are the ledger's projection, so a commit is a function of its entry: whoever brings an entry into a
//! table writes the same version with the same actions, and what is found there is compared with what the ledger says.
//! Each commit names its entry, by number and by hash, in `commitInfo` and as an application transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use deltalake_core::kernel::StructType;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

use super::super::files::file::FileEntry;
use super::super::files::layout::Partition;
use super::super::ledger::change::Paths;
use super::super::ledger::entry::{Body, Entry, LakeInfo};
use crate::error::{Context, Kind, Result};
use crate::schema::{COMMENT, Comments};
use crate::typed::{Hash32, hex};

/// How long Delta's checkpoints remember that a file was removed: each compaction removes many.
const REMOVED_FOR: &str = "interval 30 days";
/// The same in tables that were made before files could be removed.
const REMOVED_FOR_BEFORE: &str = "interval 36500 days";

/// Nothing may be cleaned up behind our back: history is evidence. Delta reads these values as intervals.
const PROPERTIES: [(&str, &str); 3] = [
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.logRetentionDuration", "interval 36500 days"),
    ("delta.deletedFileRetentionDuration", REMOVED_FOR),
];

/// The ledger entry that is brought into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRef {
    pub sequence: u64,
    /// SHA-256 of its bytes.
    pub hash: String,
    pub time_ms: i64,
    /// Program and version that wrote it.
    pub writer: String,
    pub operation: Operation,
    /// The files that it takes out of tables.
    pub replaced: Arc<Paths>,
}

/// The operation of an entry, in the words of Delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Write,
    /// Other files, the same rows.
    Optimize,
    Delete,
    Update,
}

impl EntryRef {
    pub fn of(entry: &Entry, hash: &str) -> EntryRef {
        let ours = EntryRef::made(entry.sequence, hash.to_string(), entry.time_ms, &entry.body);
        EntryRef { writer: entry.writer.clone(), ..ours }
    }

    /// An entry that this program has just written.
    pub fn made(sequence: u64, hash: String, time_ms: i64, body: &Body) -> EntryRef {
        EntryRef {
            sequence,
            hash,
            time_ms,
            writer: super::super::WRITER.to_string(),
            operation: match body {
                Body::Compact(_) => Operation::Optimize,
                Body::Retain(_) => Operation::Delete,
                Body::Erase(_) => Operation::Update,
                _ => Operation::Write,
            },
            replaced: Arc::new(body.change().map(|change| change.replaced.clone()).unwrap_or_default()),
        }
    }

    /// The files that it takes out of a table.
    pub fn replaced_of(&self, table: &str) -> &[String] {
        self.replaced.get(table).map_or(&[], Vec::as_slice)
    }
}

/// The application id of a lake's transactions.
pub fn app_id(lake_id: &str) -> String {
    format!("auditlake-{lake_id}")
}

/// Version 0 of a table, which has columns, the comments in their schema, and no files.
pub fn creation(table: &str, schema: &Schema, lake: &LakeInfo, time_ms: i64) -> Result<Vec<u8>> {
    let cannot = || format!("cannot make the Delta schema of `{table}`");
    let partition = HashMap::from([(COMMENT.to_string(), lake.partition.comment().to_string())]);
    let is_commented = schema.fields().iter().any(|field| field.metadata().contains_key(COMMENT));
    let mut fields: Vec<FieldRef> = schema.fields().to_vec();
    fields.push(Arc::new(Field::new(lake.partition.column(), DataType::Utf8, true).with_metadata(if is_commented {
        partition
    } else {
        HashMap::new()
    })));
    let columns: StructType = (&Schema::new(fields)).try_into_kernel().context(Kind::Internal, cannot)?;
    let columns = serde_json::to_string(&columns).context(Kind::Internal, cannot)?;
    let configuration: BTreeMap<&str, &str> = PROPERTIES.into_iter().collect();
    Ok(lines(&[
        json!({ "commitInfo": {
            "timestamp": time_ms,
            "operation": "CREATE TABLE",
            "operationParameters": {},
            "engineInfo": super::super::WRITER,
            "auditlake": { "lake": lake.lake_id },
        }}),
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        json!({ "metaData": {
            "id": table_id(&lake.lake_id, table),
            "name": table,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": columns,
            "partitionColumns": [lake.partition.column()],
            "configuration": configuration,
            "createdTime": time_ms,
        }}),
    ]))
}

/// Returns version 0 as earlier programs made it: without comments, and before files could be removed.
pub fn creations_before(table: &str, schema: &Schema, lake: &LakeInfo, time_ms: i64) -> Result<[Vec<u8>; 2]> {
    let plain = Comments::default().in_schema(schema);
    let made = creation(table, &plain, lake, time_ms)?;
    let name = PROPERTIES[2].0;
    let property = |value: &str| format!("\"{name}\":\"{value}\"");
    let text = String::from_utf8_lossy(&made);
    let older = text.replace(&property(REMOVED_FOR), &property(REMOVED_FOR_BEFORE)).into_bytes();
    Ok([made, older])
}

/// A UUID that follows from the lake and the table, so that two processes make the same table.
fn table_id(lake_id: &str, table: &str) -> String {
    let hash = Hash32::sha256(format!("{lake_id}/{table}").as_bytes());
    let mut bytes: [u8; 16] = std::array::from_fn(|at| hash.0[at]);
    // Version 8: made in a way of our own (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// The commit that brings the files of an entry into their table.
pub fn commit(lake: &LakeInfo, entry: &EntryRef, table: &str, files: &[&FileEntry]) -> Vec<u8> {
    let (operation, parameters) = match entry.operation {
        Operation::Write => {
            let partitions = json!([lake.partition.column()]).to_string();
            ("WRITE", json!({ "mode": "Append", "partitionBy": partitions }))
        }
        Operation::Optimize => ("OPTIMIZE", json!({})),
        Operation::Delete => ("DELETE", json!({})),
        Operation::Update => ("UPDATE", json!({})),
    };
    let changes_data = entry.operation != Operation::Optimize;
    let mut actions = vec![
        json!({ "commitInfo": {
            "timestamp": entry.time_ms,
            "operation": operation,
            "operationParameters": parameters,
            "isBlindAppend": entry.operation == Operation::Write,
            "engineInfo": entry.writer,
            "auditlake": { "entry": entry.sequence, "sha256": entry.hash },
        }}),
        json!({ "txn": { "appId": app_id(&lake.lake_id), "version": entry.sequence, "lastUpdated": entry.time_ms } }),
    ];
    actions.extend(entry.replaced_of(table).iter().map(
        |path| json!({ "remove": { "path": path, "deletionTimestamp": entry.time_ms, "dataChange": changes_data } }),
    ));
    actions.extend(files.iter().map(|file| add(file, lake.partition, entry.time_ms, changes_data)));
    lines(&actions)
}

fn add(file: &FileEntry, partition: Partition, time_ms: i64, changes_data: bool) -> Value {
    let stats = json!({
        "numRecords": file.rows,
        "minValues": { "time": rfc3339(file.min_time_us) },
        "maxValues": { "time": rfc3339(file.max_time_us) },
        "nullCount": { "time": 0 },
    });
    json!({ "add": {
        "path": file.path(),
        "partitionValues": { partition.column(): file.partition() },
        "size": file.bytes,
        // The file's own time says nothing after a copy of the lake.
        "modificationTime": time_ms,
        "dataChange": changes_data,
        "stats": stats.to_string(),
        "tags": { "sha256": file.sha256.to_string() },
    }})
}

fn rfc3339(time_us: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(time_us)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

fn lines(actions: &[Value]) -> Vec<u8> {
    actions.iter().flat_map(|action| format!("{action}\n").into_bytes()).collect()
}

/// One action of a commit, as far as we look at it.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Action {
    commit_info: Option<Info>,
    txn: Option<Txn>,
    add: Option<Add>,
    remove: Option<Remove>,
    meta_data: Option<Value>,
    protocol: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Info {
    auditlake: Named,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Named {
    entry: u64,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Txn {
    #[serde(rename = "appId")]
    app_id: String,
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct Add {
    path: String,
    size: u64,
}

#[derive(Serialize, Deserialize)]
struct Remove {
    path: String,
}

/// The files that a commit takes out of its table, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub enum Removes<'a> {
    These(&'a [String]),
    /// The entry says which; only `verify` and those who write the commit ask it.
    Some,
}

/// Whether `bytes` are the commit of entry `sequence` with this hash, whatever wrote them; else what is wrong with them.
pub fn check<'a>(
    bytes: &[u8],
    lake: &LakeInfo,
    (sequence, hash): (u64, &str),
    removes: Removes<'_>,
    files: impl IntoIterator<Item = &'a FileEntry>,
) -> std::result::Result<(), String> {
    let (mut named, mut is_transaction, mut adds, mut removed) = (None, false, BTreeSet::new(), BTreeSet::new());
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_string())?;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let action: Action = serde_json::from_str(line).map_err(|error| format!("it is not a commit: {error}"))?;
        if action.meta_data.is_some() || action.protocol.is_some() {
            return Err("it does more than add and remove files".to_string());
        }
        removed.extend(action.remove.map(|remove| remove.path));
        named = named.or(action.commit_info.map(|info| info.auditlake));
        if let Some(txn) = action.txn {
            is_transaction |= txn.version == sequence && txn.app_id == app_id(&lake.lake_id);
        }
        if let Some(add) = action.add
            && !adds.insert((add.path, add.size))
        {
            return Err("it adds a file twice".to_string());
        }
    }
    let is_named = named.as_ref().is_some_and(|named| named.entry == sequence);
    if !is_transaction || !is_named {
        return Err(format!("it was not made of ledger entry {sequence}"));
    }
    if named.is_some_and(|named| named.sha256 != hash) {
        return Err(format!("it was made of a ledger entry {sequence} with other content"));
    }
    if let Removes::These(paths) = removes
        && removed != paths.iter().cloned().collect()
    {
        return Err(format!("it does not remove the files that ledger entry {sequence} replaces"));
    }
    if adds == files.into_iter().map(|file| (file.path(), file.bytes)).collect() {
        Ok(())
    } else {
        Err(format!("it does not add the files of ledger entry {sequence}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::files::layout::Access;
    use super::*;
    use crate::schema::Ocsf;

    #[test]
    fn version_0_has_comments_and_those_of_older_programs_are_known() {
        let lake = LakeInfo {
            lake_id: "0".repeat(32),
            partition: Partition::Month,
            ocsf_version: "1.6.0".to_string(),
            key_check: "0".repeat(32),
            access: Access::Owner,
        };
        let ocsf = Ocsf::load(None).unwrap();
        let class = ocsf.by_name("authentication").unwrap();
        let made = creation(&class.name, &class.comments.in_schema(&class.arrow), &lake, 7).unwrap();
        let text = String::from_utf8(made.clone()).unwrap();
        for comment in [
            "Status ID. Whether it succeeded. Values: 0 Unknown, 1 Success, 2 Failure, 99 Other.",
            // Of a member of a struct, of one of our own columns, and of the partition.
            "Unique ID. The identifier of the object.",
            "The number of the ledger entry that added the row.",
            "by which the files are laid out",
        ] {
            assert!(text.contains(comment), "{comment}");
        }
        let older = creations_before(&class.name, &class.comments.in_schema(&class.arrow), &lake, 7).unwrap();
        assert_eq!(older[0], creation(&class.name, &class.arrow, &lake, 7).unwrap());
        for older in older {
            assert!(older != made && !String::from_utf8(older).unwrap().contains(r#"\"comment\":"#));
        }
    }
}
