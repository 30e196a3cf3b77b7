//! `auditlake schema`: event classes, and the columns of one.

use super::App;
use super::rows::{Column, batch, print};
use crate::error::{Error, Result};
use crate::render::{self, Format};
use crate::schema::{EventClass, Ocsf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The class whose columns to print; all classes when it is not given
    class: Option<String>,
    /// How the table is written
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
    let nearest = ocsf
        .classes()
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(&a.name, name).total_cmp(&strsim::jaro_winkler(&b.name, name)));
    let error = Error::input(format!("no event class `{name}`"));
    Err(match nearest {
        Some(class) => error.hint(format!("did you mean `{}`?", class.name)),
        None => error,
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

/// The columns of a class: dotted paths with type, requirement, storage and captions.
pub fn columns(class: &EventClass) -> Result<arrow::array::RecordBatch> {
    let fields: Vec<_> = class.describe().into_iter().filter(|field| field.is_leaf).collect();
    let captions = |field: &crate::schema::FieldInfo| {
        let captions = field.captions.as_ref()?;
        Some(captions.entries().iter().map(|(id, caption)| format!("{id} {caption}")).collect::<Vec<_>>().join(", "))
    };
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
