//! The object tree of one class, with resolved types and cut edges.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::file::{ClassFile, ObjectsFile, Spec, is_name, scalar};
use super::load::Source;
use super::{Attribute, Captions, Kind, Object};
use crate::error::{Error, Result};

/// The objects that classes may use.
#[derive(Default)]
pub struct Objects {
    known: HashMap<String, Definition>,
}

/// An object as a file defines it; the file is kept for errors.
struct Definition {
    source: Arc<Source>,
    attributes: Vec<(String, Spec)>,
}

impl Objects {
    /// Adds the objects of one file; they replace those of the same name.
    pub fn add(&mut self, source: Source, file: ObjectsFile) {
        let source = Arc::new(source);
        for (name, attributes) in file.objects.0 {
            self.known.insert(name, Definition { source: Arc::clone(&source), attributes: attributes.0 });
        }
    }
}

/// The place of the present attributes, for errors.
#[derive(Clone, Copy)]
struct Place<'a> {
    source: &'a Source,
    /// "attributes", or the name of the object.
    section: &'a str,
}

impl Place<'_> {
    fn error(&self, attribute: &str, message: String) -> Error {
        self.source.error(&[self.section, attribute], message)
    }
}

/// Builds the tree of one class.
pub struct Tree<'a> {
    source: &'a Source,
    objects: &'a Objects,
    file: &'a ClassFile,
    cut: HashSet<&'a str>,
    left_out: HashSet<String>,
    /// The objects we are inside of.
    inside: Vec<&'a str>,
}

impl<'a> Tree<'a> {
    pub fn new(source: &'a Source, objects: &'a Objects, file: &'a ClassFile) -> Tree<'a> {
        let left_out = file.left_out.0.iter().flat_map(|(parent, names)| names.iter().map(|name| join(parent, name)));
        Tree {
            source,
            objects,
            file,
            cut: file.cut.iter().map(String::as_str).collect(),
            left_out: left_out.collect(),
            inside: Vec::new(),
        }
    }

    /// Builds the tree. Errors when a path of `cut` or `left_out` was not met on the way: a misspelt one would change
    /// the table.
    pub fn build(mut self, name: &str) -> Result<Object> {
        let place = Place { source: self.source, section: "attributes" };
        let root = self.object(place, name, &self.file.attributes.0, "")?;
        for path in &self.file.cut {
            if self.cut.contains(path.as_str()) {
                return Err(self.source.error(&["cut", path], format!("`{path}` in `cut` does not exist")));
            }
        }
        for (parent, names) in &self.file.left_out.0 {
            for path in names.iter().map(|name| join(parent, name)) {
                if self.left_out.contains(&path) {
                    let message = format!("`{path}` in `left_out` does not exist");
                    return Err(self.source.error(&["left_out", parent], message));
                }
            }
        }
        Ok(root)
    }

    fn object(&mut self, place: Place<'a>, name: &str, specs: &'a [(String, Spec)], path: &str) -> Result<Object> {
        let mut attributes = Vec::with_capacity(specs.len());
        for (member, spec) in specs {
            let path = join(path, member);
            if !is_name(member) {
                return Err(place.error(member, format!("`{member}` cannot be an attribute's name")));
            }
            if !self.left_out.remove(&path) {
                attributes.push(self.attribute(place, member, spec, &path)?);
            }
        }
        Ok(Object::new(name, attributes))
    }

    fn attribute(&mut self, place: Place<'a>, name: &str, spec: &'a Spec, path: &str) -> Result<Attribute> {
        let simple = scalar(&spec.base);
        let ocsf_type = match simple {
            Some(_) => spec.base.clone(),
            None => format!("object:{}", spec.base),
        };
        let kind = match simple {
            Some(_) if self.cut.remove(path) => Kind::Json,
            Some(kind) => kind,
            None => self.inner(place, name, &spec.base, path)?,
        };
        Ok(Attribute {
            name: name.to_owned(),
            is_list: spec.is_list && !matches!(kind, Kind::Json),
            kind,
            requirement: spec.requirement,
            captions: spec.captions.clone().map(|entries| Arc::new(Captions::new(entries))),
            sibling: spec.sibling.clone(),
            ocsf_type,
            is_deprecated: spec.is_deprecated,
        })
    }

    fn inner(&mut self, place: Place<'a>, attribute: &str, object: &'a str, path: &str) -> Result<Kind> {
        // Looked up even when it is cut: a misspelt name should not hide there.
        let Some(Definition { source, attributes }) = self.objects.known.get(object) else {
            return Err(place.error(attribute, format!("`{path}` is of an unknown object `{object}`")));
        };
        if self.cut.remove(path) {
            return Ok(Kind::Json);
        }
        if self.inside.contains(&object) {
            let error = place.error(attribute, format!("`{path}` is a `{object}` inside a `{object}`"));
            return Err(
                error.hint(format!("add \"{path}\", or an object above it, to `cut` of {}", self.source.name()))
            );
        }
        self.inside.push(object);
        let inner = self.object(Place { source, section: object }, object, attributes, path)?;
        self.inside.pop();
        // Delta and Parquet refuse a struct without members.
        if inner.attributes.is_empty() {
            Err(place.error(attribute, format!("`{path}` would be a struct without members")))
        } else {
            Ok(Kind::Object(Arc::new(inner)))
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}
