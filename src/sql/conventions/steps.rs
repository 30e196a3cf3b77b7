//! Everything that must be made before a statement can be planned: the views that it names and all their dependencies.
//!
//! ```text
//! statement -> names -> view (its text with parameters and names put in) -> its names -> ... -> class tables
//! ```
//!
//! A view's table is named after its text with all values inserted, so the same name always means the same rows:
//! statements and reports of one session share what they have in common, whatever else differs between them. A session
//! also remembers the steps of a view: `event` looks up a dozen times who is who, and inserting all values takes a
//! millisecond each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{Statement as Sql, TableFunctionArgs};

use super::super::bind::{Params, bind};
use super::super::event::{self, Template};
use super::frame::{Frame, Horizon, Scope};
use super::load::{Conventions, Input, Planning, View};
use super::names::{Naming, Other, as_of, replace};
use crate::error::{Error, Kind, Result};
use crate::schema::Ocsf;

/// The schema of the tables that were made for statements.
pub const MADE: &str = "made";

/// Something that a statement needs, under the name by which it is found again.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub source: Source,
}

#[derive(Debug, Clone)]
pub enum Source {
    /// A class's table up to a time, microseconds.
    Visible {
        table: String,
        end_us: i64,
    },
    /// A table that the session was given, in the form of the view that stands for it.
    Given {
        view: String,
        statement: Box<Sql>,
        input: Input,
        end_us: Option<i64>,
    },
    View {
        view: String,
        planning: Planning,
        statement: Box<Sql>,
    },
    /// The events of all classes in one shape.
    Rows {
        template: Box<Template>,
        end_us: Option<i64>,
    },
    /// A function from the first column of a kept table to another one; the table is made when the function is needed.
    Lookup {
        steps: Vec<Arc<Step>>,
        table: String,
        column: String,
        result: DataType,
    },
}

/// A view with all values inserted.
#[derive(Debug)]
struct Settled {
    other: Other,
    /// Everything that it depends on, and itself at the end.
    steps: Vec<Arc<Step>>,
    used: Used,
}

/// Views that are remembered.
const REMEMBERED: usize = 256;

/// Everything that determines, in one session, which values a view gets.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    view: String,
    frame: Frame,
    params: Params,
    is_for_columns: bool,
}

/// The views that statements of a session have settled.
#[derive(Debug, Default)]
pub struct Settling {
    views: Mutex<HashMap<Asked, Arc<Settled>>>,
}

impl Settling {
    fn get(&self, asked: &Asked) -> Option<Arc<Settled>> {
        self.lock().get(asked).cloned()
    }

    fn put(&self, asked: Asked, settled: Arc<Settled>) {
        let mut views = self.lock();
        if views.len() >= REMEMBERED {
            views.clear();
        }
        views.insert(asked, settled);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asked, Arc<Settled>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The views and tables that a statement used: part of the evidence of a report.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// Convention views, name and text, each before its users.
    pub views: Vec<(String, String)>,
    /// Tables of the lake.
    pub tables: Vec<String>,
    /// Whether events of all classes are meant.
    pub is_over_classes: bool,
}

/// The possible meanings of names.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub conventions: &'a Conventions,
    pub ocsf: &'a Ocsf,
    /// The tables that the session was given.
    pub given: &'a [(String, Arc<dyn TableProvider>)],
    /// Whether views are planned for their columns only, and nothing is evaluated.
    pub is_for_columns: bool,
    pub settling: &'a Settling,
}

/// Collects the steps of one statement.
pub struct Steps<'a> {
    sources: Sources<'a>,
    params: &'a Params,
    /// The statement's frame, then those of the views on the way down.
    frames: Vec<Frame>,
    open: Vec<(String, Frame)>,
    known: HashMap<(String, Frame), Other>,
    steps: Vec<Arc<Step>>,
    used: Used,
}

impl<'a> Steps<'a> {
    pub fn new(sources: Sources<'a>, params: &'a Params, horizon: Horizon) -> Steps<'a> {
        Steps {
            sources,
            params,
            frames: vec![Frame::new(horizon)],
            open: Vec::new(),
            known: HashMap::new(),
            steps: Vec::new(),
            used: Used::default(),
        }
    }

    /// Inserts parameters and the names of made tables into a statement.
    pub fn settle(&mut self, statement: &mut Sql) -> Result<()> {
        replace(statement, self)?;
        self.bind(statement)
    }

    fn bind(&self, statement: &mut Sql) -> Result<()> {
        let (frame, params, sources) = (self.frame(), self.params, self.sources);
        let is_in_a_view = self.frames.len() > 1;
        // If only its columns are needed, a view needs no values.
        let nothing = || sources.is_for_columns.then_some(ScalarValue::Null);
        let shared = |name: &str| sources.conventions.value(name).filter(|_| is_in_a_view).cloned();
        bind(statement, &|name| frame.value(name, params).or_else(|| shared(name)).or_else(nothing))
    }

    /// Returns the table that the statement reads as `view`.
    pub fn table(&self, view: &str) -> Option<String> {
        let frame = self.frame();
        self.known.iter().find(|((name, of), _)| name == view && of == frame).map(|(_, other)| other.table.clone())
    }

    /// Returns the steps, each before its users.
    pub fn finish(mut self) -> (Vec<Arc<Step>>, Used) {
        self.used.tables.sort();
        self.used.tables.dedup();
        (self.steps, self.used)
    }

    fn frame(&self) -> &Frame {
        // The statement's own frame is never removed.
        self.frames.last().expect("the frame of the statement")
    }

    /// Returns steps of the same statement that are still empty.
    fn empty(&self) -> Steps<'a> {
        Steps::new(self.sources, self.params, Horizon::All)
    }

    fn take(&mut self, used: Used) {
        for view in used.views {
            if self.used.views.iter().all(|(name, _)| *name != view.0) {
                self.used.views.push(view);
            }
        }
        self.used.tables.extend(used.tables);
        self.used.is_over_classes |= used.is_over_classes;
    }

    fn push(&mut self, name: String, source: Source) -> String {
        if self.steps.iter().all(|step| step.name != name) {
            self.steps.push(Arc::new(Step { name: name.clone(), source }));
        }
        name
    }

    /// Returns the table of a view in a frame.
    fn view(&mut self, view: &'a View, frame: &Frame) -> Result<Other> {
        let key = (view.name.clone(), frame.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let settled = self.settled(view, frame)?;
        for step in &settled.steps {
            if self.steps.iter().all(|known| known.name != step.name) {
                self.steps.push(step.clone());
            }
        }
        self.take(settled.used.clone());
        self.known.insert(key, settled.other.clone());
        Ok(settled.other.clone())
    }

    /// Returns the view with everything that it depends on, from the session's memory or made now.
    fn settled(&self, view: &'a View, frame: &Frame) -> Result<Arc<Settled>> {
        let asked = Asked {
            view: view.name.clone(),
            frame: frame.clone(),
            params: self.params.clone(),
            is_for_columns: self.sources.is_for_columns,
        };
        if let Some(settled) = self.sources.settling.get(&asked) {
            return Ok(settled);
        }
        let key = (view.name.clone(), frame.clone());
        if self.open.contains(&key) {
            return Err(Error::new(Kind::Internal, format!("view `{}` stands on itself", view.name)));
        }
        let mut apart = self.empty();
        apart.open.extend(self.open.iter().cloned());
        apart.open.push(key);
        // A view is never the statement itself.
        apart.frames.push(frame.clone());
        let table = apart.instance(view, frame).map_err(|error| {
            // A missing value is missing in the statement.
            if error.kind() == Kind::Usage {
                return error;
            }
            Error::new(error.kind(), format!("cannot make view `{}`", view.name)).caused_by(error)
        })?;
        if apart.used.views.iter().all(|(name, _)| *name != view.name) {
            apart.used.views.push((view.name.clone(), view.text.clone()));
        }
        let unlisted = match view.planning {
            Planning::Apart => event::unlisted(&view.statement, self.sources.conventions, self.sources.ocsf),
            _ => Vec::new(),
        };
        let other = Other { schema: Some(MADE), table, unlisted };
        let (steps, used) = apart.finish();
        let settled = Arc::new(Settled { other, steps, used });
        self.sources.settling.put(asked, settled.clone());
        Ok(settled)
    }

    fn instance(&mut self, view: &'a View, frame: &Frame) -> Result<String> {
        let mut statement = Box::new(view.statement.clone());
        let end_us = frame.horizon.end_us()?;
        if view.is_over_classes {
            self.used.is_over_classes |= frame.list.is_none();
            self.used.tables.extend(self.sources.ocsf.classes().iter().map(|class| class.name.clone()));
            self.bind(&mut statement)?;
            let template = Template { statement: *statement, list: frame.list.clone() };
            let name = self.named(&view.name, &format!("{}|{:?}|{end_us:?}", template.statement, template.list));
            return Ok(self.push(name, Source::Rows { template: Box::new(template), end_us }));
        }
        self.settle(&mut statement)?;
        if let Some(input) = &view.input
            && frame.scope != Scope::Logged
            && self.sources.given.iter().any(|(given, _)| *given == view.name)
        {
            let name = self.named(&view.name, &format!("given|{end_us:?}"));
            let source = Source::Given { view: view.name.clone(), statement, input: input.clone(), end_us };
            return Ok(self.push(name, source));
        }
        let name = self.named(&view.name, &statement.to_string());
        Ok(self.push(name, Source::View { view: view.name.clone(), planning: view.planning, statement }))
    }

    /// Returns a class's table as far as the frame sees it.
    fn class(&mut self, table: &str, frame: &Frame) -> Result<Other> {
        self.used.tables.push(table.to_string());
        Ok(match frame.horizon.end_us()? {
            None => Other { schema: None, table: table.to_string(), unlisted: Vec::new() },
            Some(end_us) => {
                let name = format!("{table}@{end_us}");
                let table = self.push(name, Source::Visible { table: table.to_string(), end_us });
                Other { schema: Some(MADE), table, unlisted: Vec::new() }
            }
        })
    }

    /// Returns `view@hash of the text`.
    fn named(&self, view: &str, text: &str) -> String {
        let mode = if self.sources.is_for_columns { "columns" } else { "" };
        let hash = blake3::hash(format!("{mode}|{text}").as_bytes()).to_hex();
        format!("{view}@{}", &hash[..16])
    }
}

impl Naming for Steps<'_> {
    fn table(
        &mut self,
        schema: Option<&str>,
        name: &str,
        arguments: Option<&TableFunctionArgs>,
    ) -> Result<Option<Other>> {
        let schema = match schema {
            Some(MADE | "information_schema") => return Ok(None),
            Some("public") => None,
            schema => schema,
        };
        let frame = self.frame().within(schema, self.params)?;
        let conventions = self.sources.conventions;
        if let Some(view) = conventions.view(name) {
            let as_of_us = arguments.map_or(Ok(None), |arguments| as_of(name, arguments))?;
            let frame = as_of_us.map_or(frame.clone(), |as_of_us| frame.at(as_of_us));
            return self.view(view, &frame).map(Some);
        }
        if arguments.is_some() {
            return Ok(None);
        }
        if let Some((class, list, statement)) = event::items(self.sources.ocsf, name) {
            let list = Some((class.to_string(), list.to_string()));
            return self.items(name, &statement, &Frame { list, ..frame }).map(Some);
        }
        if self.sources.ocsf.by_name(name).is_some() {
            return self.class(name, &frame).map(Some);
        }
        // Other tables do not hold events: they have no horizon.
        self.used.tables.push(name.to_string());
        Ok(schema.map(|_| Other { schema: None, table: name.to_string(), unlisted: Vec::new() }))
    }

    fn lookup(&mut self, view: &str, column: &str, result: DataType) -> Result<String> {
        let Some(known) = self.sources.conventions.view(view).filter(|known| known.planning == Planning::Once) else {
            return Err(Error::input(format!("lookup() knows no kept view `{view}`"))
                .hint("views that begin with `-- evaluate: once` are kept"));
        };
        // All events determine who is who, even where only one class is read.
        let frame = Frame { list: None, ..self.frame().clone() };
        let settled = self.settled(known, &frame)?;
        self.take(settled.used.clone());
        let (table, steps) = (settled.other.table.clone(), settled.steps.clone());
        let name = format!("lookup {column} in {table}");
        let column = column.to_string();
        Ok(self.push(name, Source::Lookup { steps, table, column, result }))
    }
}

impl Steps<'_> {
    /// Returns the view of the items of a list, which `event` has in this frame.
    fn items(&mut self, name: &str, statement: &Sql, frame: &Frame) -> Result<Other> {
        let mut statement = Box::new(statement.clone());
        self.frames.push(frame.clone());
        let settled = self.settle(&mut statement);
        self.frames.pop();
        settled?;
        let table = self.named(name, &statement.to_string());
        let source = Source::View { view: name.to_string(), planning: Planning::Inlined, statement };
        let other = Other { schema: Some(MADE), table: self.push(table, source), unlisted: Vec::new() };
        self.known.insert((name.to_string(), Frame { list: None, ..frame.clone() }), other.clone());
        Ok(other)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn a_session_settles_a_view_once_and_means_the_same_by_it() {
        let (ocsf, conventions, settling) =
            (Ocsf::load(None).unwrap(), Conventions::load().unwrap(), Settling::default());
        let sources = |is_for_columns| {
            let (conventions, ocsf, settling) = (&conventions, &ocsf, &settling);
            Sources { conventions, ocsf, given: &[], is_for_columns, settling }
        };
        let asked = |is_for_columns: bool, horizon: Horizon| {
            let params = Params::new();
            let mut steps = Steps::new(sources(is_for_columns), &params, horizon);
            let mut statements = Parser::parse_sql(&GenericDialect {}, "select actor_label from event").unwrap();
            steps.settle(&mut statements[0]).unwrap();
            let (steps, used) = steps.finish();
            let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
            (statements[0].to_string(), names, used.views, used.tables, used.is_over_classes)
        };
        let first = asked(false, Horizon::All);
        let known = settling.lock().len();
        assert!(first.4 && known > 3 && first.1.last().unwrap().starts_with("event@"), "{:?}", first.1);
        assert_eq!(asked(false, Horizon::All), first);
        assert_eq!(settling.lock().len(), known);
        // Other events and other purposes are other tables; what is not made of events is the same.
        let of_events = |names: &[String]| -> Vec<String> {
            names.iter().filter(|name| name.starts_with("event")).cloned().collect()
        };
        for other in [asked(false, Horizon::up_to(7)), asked(true, Horizon::All)] {
            let (events, known) = (of_events(&other.1), of_events(&first.1));
            assert!(other.0 != first.0, "{}", other.0);
            assert!(!events.is_empty() && events.iter().all(|name| !known.contains(name)), "{events:?} {known:?}");
        }
    }
}
