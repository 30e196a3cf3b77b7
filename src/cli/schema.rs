//! `auditlake schema`: event classes, and the columns of one.

use std::collections::BTreeMap;

use super::App;
use super::terminal::rows::{Column, batch, print};
use crate::error::{Error, Result};
use crate::render::{self, Format};
use crate::schema::{EventClass, Ocsf};
use crate::sql;
use crate::typed::nearest;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The class whose columns to print [default: list all classes]
    class: Option<String>,
    /// Output format of the table
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let ocsf = app.ocsf()?;
    let table = match &args.class {
        None => classes(&ocsf)?,
        Some(name) => columns(find(&ocsf, name)?)?,
    };
    print(&app.screen, &table, args.format, render::Options::default())?;
    Ok(0)
}

fn find<'a>(ocsf: &'a Ocsf, name: &str) -> Result<&'a EventClass> {
    let is_meant = |class: &&std::sync::Arc<EventClass>| {
        class.name == name
            || class.caption.eq_ignore_ascii_case(name)
            || class.uid.is_some_and(|uid| uid.to_string() == name)
    };
    if let Some(class) = ocsf.classes().iter().find(is_meant) {
        return Ok(class);
    }
    let error = Error::input(format!("no event class `{name}`"));
    Err(match nearest(name, ocsf.classes().iter().map(|class| class.name.as_str())) {
        Some(class) => error.hint(format!("did you mean `{class}`?")),
        None => error.hint("`auditlake schema` lists them"),
    })
}

fn classes(ocsf: &Ocsf) -> Result<arrow::array::RecordBatch> {
    let classes = ocsf.classes();
    batch(vec![
        ("class_uid", Column::Number(classes.iter().map(|class| class.uid.map(|uid| uid as u64)).collect())),
        ("table", Column::Text(classes.iter().map(|class| Some(class.name.clone())).collect())),
        ("caption", Column::Text(classes.iter().map(|class| Some(class.caption.clone())).collect())),
        ("columns", Column::Number(classes.iter().map(|class| Some(class.leaves() as u64)).collect())),
    ])
}

/// Returns the columns of a class: dotted paths with type, requirement, storage and captions.
pub fn columns(class: &EventClass) -> Result<arrow::array::RecordBatch> {
    let fields: Vec<_> = class.describe().into_iter().filter(|field| field.is_leaf).collect();
    batch(vec![
        ("column", Column::Text(fields.iter().map(|field| Some(field.path.clone())).collect())),
        ("type", Column::Text(fields.iter().map(|field| Some(field.arrow_type.clone())).collect())),
        ("ocsf_type", Column::Text(fields.iter().map(|field| Some(field.ocsf_type.clone())).collect())),
        (
            "requirement",
            Column::Text(fields.iter().map(|field| Some(field.requirement.as_str().to_string())).collect()),
        ),
        ("storage", Column::Text(fields.iter().map(|field| Some(field.storage.as_str().to_string())).collect())),
        ("captions", Column::Text(fields.iter().map(captions).collect())),
    ])
}

/// Returns the columns of a class for a terminal of some width: whole paths, how often each has a value in `rows` rows,
/// and as much of the captions as fits.
pub fn brief_columns(
    class: &EventClass,
    width: Option<usize>,
    filled: &BTreeMap<String, u64>,
    rows: u64,
) -> Result<arrow::array::RecordBatch> {
    let fields: Vec<_> = class.describe().into_iter().filter(|field| field.is_leaf).collect();
    let types: Vec<String> = fields.iter().map(type_name).collect();
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or_default();
    let used = widest(&mut fields.iter().map(|field| field.path.len()))
        + widest(&mut types.iter().map(String::len))
        + "recommended".len()
        + "filled".len();
    // Five columns have six borders and a blank on each side of every cell.
    let room = width.map(|width| width.saturating_sub(used + 16).max(12));
    let captions = fields.iter().map(|field| captions(field).map(|captions| shorten(&captions, room)));
    let requirement = |field: &crate::schema::FieldInfo| Some(field.requirement.as_str().to_string());
    batch(vec![
        ("column", Column::Text(fields.iter().map(|field| Some(field.path.clone())).collect())),
        ("type", Column::Text(types.iter().cloned().map(Some).collect())),
        ("requirement", Column::Text(fields.iter().map(requirement).collect())),
        ("filled", Column::Text(fields.iter().map(|field| share(filled.get(&field.path), rows)).collect())),
        ("captions", Column::Text(captions.collect())),
    ])
}

/// Returns the columns of a class with everything that the schema says about them, the most wanted first.
pub fn whole_columns(
    class: &EventClass,
    filled: &BTreeMap<String, u64>,
    rows: u64,
) -> Result<arrow::array::RecordBatch> {
    let fields: Vec<_> = class.describe().into_iter().filter(|field| field.is_leaf).collect();
    let text = |of: &dyn Fn(&crate::schema::FieldInfo) -> Option<String>| Column::Text(fields.iter().map(of).collect());
    batch(vec![
        ("column", text(&|field| Some(field.path.clone()))),
        ("type", text(&|field| Some(type_name(field)))),
        ("filled", text(&|field| share(filled.get(&field.path), rows))),
        ("captions", text(&captions)),
        ("requirement", text(&|field| Some(field.requirement.as_str().to_string()))),
        ("ocsf_type", text(&|field| Some(field.ocsf_type.clone()))),
    ])
}

/// Formats the ids of an enumeration with their meaning: `0 Unknown, 1 Logon`.
fn captions(field: &crate::schema::FieldInfo) -> Option<String> {
    let captions = field.captions.as_ref()?;
    Some(captions.entries().iter().map(|(id, caption)| format!("{id} {caption}")).collect::<Vec<_>>().join(", "))
}

/// Returns the share of rows that have a value; empty when none has.
pub fn share(filled: Option<&u64>, rows: u64) -> Option<String> {
    let filled = *filled.filter(|filled| **filled > 0)?;
    Some(match 100.0 * filled as f64 / rows.max(1) as f64 {
        _ if filled >= rows => "100%".to_string(),
        percent if percent < 1.0 => "<1%".to_string(),
        // Rounded down: only a column that is always filled shows 100 %.
        percent => format!("{}%", percent.floor()),
    })
}

/// Returns the type as SQL users name it; a truncated value is JSON text.
fn type_name(field: &crate::schema::FieldInfo) -> String {
    match field.storage {
        crate::schema::Storage::Cut => "json".to_string(),
        _ => sql::type_name(&field.data_type),
    }
}

fn shorten(text: &str, room: Option<usize>) -> String {
    match room {
        Some(room) if text.chars().count() > room => text.chars().take(room - 1).chain(['…']).collect(),
        _ => text.to_string(),
    }
}
