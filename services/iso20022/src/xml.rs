//! Turns the bytes of an XML body into a bounded tree of elements; it must never expand an entity,
//! read a DTD or know a message.

pub(crate) mod stream;

use std::sync::Arc;

use quick_xml::{
    NsReader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
    name::{Namespace, ResolveResult},
};

/// The largest body read.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting of elements read.
pub const DEPTH_MAX: usize = 64;
/// The most elements read; a pacs.008 with every optional element has about a thousand.
pub const ELEMENTS_MAX: usize = 20_000;
/// The longest list of attributes of one element. Duplicates are looked for pairwise.
const ATTRIBUTES_BYTES_MAX: usize = 2_048;
/// The longest part of a body that is read as a stream: a row, or what stands before the first.
pub const PART_BYTES_MAX: u64 = 256 * 1024;
/// The most namespace declarations in scope, so that resolving a name stays cheap.
const NAMESPACES_MAX: usize = 64;

/// Why a body is no XML that this reader takes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("body has {0} bytes: send at most {BODY_BYTES_MAX}")]
    TooLarge(usize),
    #[error("body is not UTF-8 from byte {0}: send UTF-8")]
    NotUtf8(usize),
    #[error("the XML declaration names an encoding other than UTF-8: send UTF-8")]
    Encoding,
    #[error("body has a document type declaration: send none")]
    DocumentType,
    #[error("body uses an entity that XML does not predefine: write the character itself")]
    Entity,
    #[error("body has a character that XML 1.0 forbids: leave it out")]
    Character,
    #[error("elements nest deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("body has more than {ELEMENTS_MAX} elements")]
    TooManyElements,
    #[error("element has more than {ATTRIBUTES_BYTES_MAX} bytes of attributes")]
    AttributesTooLong,
    #[error("body is not well-formed XML at byte {at}")]
    Syntax {
        at: u64,
        #[source]
        source: quick_xml::Error,
    },
    #[error("element is not closed: body ends too early")]
    Unclosed,
    #[error("body has text outside every element")]
    TextOutside,
    #[error("body has no element")]
    Empty,
    #[error("a part of the body has more than {PART_BYTES_MAX} bytes: send smaller rows")]
    PartTooLarge,
    #[error("body breaks off: send it again")]
    Broken(#[source] quick_xml::Error),
}

/// One element: its local name, its namespace, what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub namespace: Option<Arc<str>>,
    /// Attributes as written, without namespace declarations.
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Self>,
    pub text: String,
}

impl Element {
    /// The first child of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child of this name.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The element at a path of child names.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The trimmed text at a path of child names; nothing if it is empty.
    #[must_use]
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        let text = self.at(path)?.text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// An attribute by its name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same without namespace, prefixed attributes and the blanks between elements, as it can
    /// stand in any document.
    #[must_use]
    pub fn bare(&self) -> Self {
        let own = self.attributes.iter().filter(|(key, _)| !key.contains(':'));
        let text = if self.children.is_empty() { self.text.trim() } else { "" };
        Self {
            name: self.name.clone(),
            namespace: None,
            attributes: own.cloned().collect(),
            children: self.children.iter().map(Self::bare).collect(),
            text: text.to_owned(),
        }
    }

    /// Everything it says, in order, for people: texts, each after its attributes' values.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        self.collect_words(&mut words);
        words.join(" ")
    }

    fn collect_words<'a>(&'a self, words: &mut Vec<&'a str>) {
        let own = self.attributes.iter().map(|(_, value)| value.as_str());
        words.extend(own.chain([self.text.trim()]).filter(|word| !word.is_empty()));
        self.children.iter().for_each(|child| child.collect_words(words));
    }

    /// Takes out the first element of this name here or below; what is left in its place is empty.
    #[must_use]
    pub fn take(&mut self, name: &str) -> Option<Self> {
        if self.name == name {
            return Some(std::mem::take(self));
        }
        self.children.iter_mut().find_map(|child| child.take(name))
    }

    /// The first element of this name here or below, outermost first.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }
}

/// Reads the outermost elements of a body: one in well-formed XML, two where a header is simply put
/// before its document.
pub fn read(body: &[u8]) -> Result<Vec<Element>, Error> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::TooLarge(body.len()));
    }
    let text = std::str::from_utf8(body).map_err(|bad| Error::NotUtf8(bad.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.chars().all(allowed) {
        return Err(Error::Character);
    }
    let mut reader = NsReader::from_str(text);
    reader.resolver_mut().set_max_namespace_bindings(NAMESPACES_MAX);
    let mut tree = Tree::default();
    loop {
        let read = reader.read_resolved_event();
        let (namespace, event) = match read {
            Ok((namespace, event)) => (shared(&namespace), event),
            Err(source) => return Err(Error::Syntax { at: reader.error_position(), source }),
        };
        if !tree.take(namespace, event, reader.buffer_position())? {
            return tree.finish();
        }
    }
}

/// Whether XML 1.0 allows this character.
#[must_use]
pub fn allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn shared(namespace: &ResolveResult<'_>) -> Option<Arc<str>> {
    match namespace {
        ResolveResult::Bound(Namespace(name)) => Some(Arc::from(*name)),
        ResolveResult::Unbound | ResolveResult::Unknown(_) => None,
    }
}

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    roots: Vec<Element>,
    elements: usize,
}

impl Tree {
    /// Adds one event; false at the end of the body.
    fn take(
        &mut self,
        namespace: Option<Arc<str>>,
        event: Event<'_>,
        at: u64,
    ) -> Result<bool, Error> {
        match event {
            Event::Start(start) => self.start(namespace, &start, at)?,
            Event::Empty(start) => {
                self.start(namespace, &start, at)?;
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content())?,
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => self.reference(&reference, at)?,
            Event::Decl(declaration) => encoding(&declaration)?,
            Event::DocType(_) => return Err(Error::DocumentType),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return Ok(false),
        }
        Ok(true)
    }

    fn start(
        &mut self,
        namespace: Option<Arc<str>>,
        start: &BytesStart<'_>,
        at: u64,
    ) -> Result<(), Error> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(Error::TooManyElements);
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        if start.attributes_raw().len() > ATTRIBUTES_BYTES_MAX {
            return Err(Error::AttributesTooLong);
        }
        let same = |open: &&Element| open.namespace == namespace;
        let namespace = self
            .open
            .last()
            .filter(same)
            .map_or_else(|| namespace.clone(), |o| o.namespace.clone());
        let name = start.local_name().into_inner().to_owned();
        let mut element = Element { name, namespace, ..Element::default() };
        for attribute in start.attributes() {
            let attribute =
                attribute.map_err(|source| Error::Syntax { at, source: source.into() })?;
            let key = attribute.key.as_ref();
            if key == "xmlns" || key.starts_with("xmlns:") {
                continue;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|source| Error::Syntax { at, source })?;
            if !value.chars().all(allowed) {
                return Err(Error::Character);
            }
            element.attributes.push((key.to_owned(), value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.roots.push(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if !text.chars().all(allowed) {
            return Err(Error::Character);
        }
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(Error::TextOutside),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>, at: u64) -> Result<(), Error> {
        let resolved =
            reference.resolve_char_ref().map_err(|source| Error::Syntax { at, source })?;
        if let Some(character) = resolved {
            if !allowed(character) {
                return Err(Error::Character);
            }
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        let text = resolve_predefined_entity(&reference.xml10_content()).ok_or(Error::Entity)?;
        self.text(text)
    }

    fn finish(self) -> Result<Vec<Element>, Error> {
        if !self.open.is_empty() {
            return Err(Error::Unclosed);
        }
        if self.roots.is_empty() { Err(Error::Empty) } else { Ok(self.roots) }
    }
}

fn encoding(declaration: &BytesDecl<'_>) -> Result<(), Error> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("us-ascii") => Ok(()),
        Some(_) => Err(Error::Encoding),
    }
}
