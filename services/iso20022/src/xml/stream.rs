//! Takes a long XML body apart while it arrives: containers are opened and closed, what stands in
//! them comes as whole elements; it must never hold more than one of them.

use std::io::{self, BufRead, Read};

use quick_xml::{NsReader, events::Event};

use super::{DEPTH_MAX, Element, Error, NAMESPACES_MAX, PART_BYTES_MAX, Tree, shared};

/// What comes next.
#[derive(Debug)]
pub(crate) enum Part {
    /// A container, empty, with its name and namespace.
    Opened(Element),
    /// An element that is no container, whole.
    Whole(Element),
    /// The container of this name.
    Closed(String),
}

/// A body as a row of parts.
pub(crate) struct Parts<R> {
    reader: NsReader<Bounded<R>>,
    buffer: Vec<u8>,
    tree: Tree,
    open: Vec<String>,
    container: fn(&[String], &str) -> bool,
}

impl<R: BufRead> Parts<R> {
    /// `container` says which elements are opened rather than collected, by the names of the open
    /// containers around them and their own.
    pub(crate) fn new(source: R, container: fn(&[String], &str) -> bool) -> Self {
        let mut reader = NsReader::from_reader(Bounded { source, taken: 0 });
        reader.resolver_mut().set_max_namespace_bindings(NAMESPACES_MAX);
        Self { reader, buffer: Vec::new(), tree: Tree::default(), open: Vec::new(), container }
    }

    /// The next part; nothing at the end of the body.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, Error> {
        loop {
            self.buffer.clear();
            let read = self.reader.read_resolved_event_into(&mut self.buffer);
            let (namespace, event) = match read {
                Ok((namespace, event)) => (shared(&namespace), event.into_owned()),
                Err(source) => return Err(self.failed(source)),
            };
            if self.tree.open.is_empty() {
                match &event {
                    Event::Start(start)
                        if (self.container)(&self.open, start.local_name().into_inner()) =>
                    {
                        let name = start.local_name().into_inner().to_owned();
                        self.restart();
                        if self.open.len() >= DEPTH_MAX {
                            return Err(Error::TooDeep);
                        }
                        self.open.push(name.clone());
                        let opened = Element { name, namespace, ..Element::default() };
                        return Ok(Some(Part::Opened(opened)));
                    }
                    // What an envelope says beside the message is no concern of its reader.
                    Event::Text(_) | Event::CData(_) if self.enveloped() => continue,
                    Event::End(_) => {
                        self.restart();
                        return Ok(self.open.pop().map(Part::Closed));
                    }
                    Event::Start(_)
                    | Event::Empty(_)
                    | Event::Text(_)
                    | Event::CData(_)
                    | Event::Comment(_)
                    | Event::Decl(_)
                    | Event::PI(_)
                    | Event::DocType(_)
                    | Event::GeneralRef(_)
                    | Event::Eof => {}
                }
            }
            let at = self.reader.buffer_position();
            if !self.tree.take(namespace, event, at)? {
                let whole = self.open.is_empty() && self.tree.open.is_empty();
                return if whole { Ok(None) } else { Err(Error::Unclosed) };
            }
            if let Some(element) = self.tree.roots.pop() {
                self.restart();
                return Ok(Some(Part::Whole(element)));
            }
        }
    }

    /// Whether what comes stands within an envelope and outside its document.
    fn enveloped(&self) -> bool {
        !self.open.is_empty() && !self.open.iter().any(|name| name == "Document")
    }

    /// A new part has the whole allowance.
    fn restart(&mut self) {
        self.reader.get_mut().taken = 0;
        self.tree.elements = 0;
    }

    fn failed(&mut self, source: quick_xml::Error) -> Error {
        if self.reader.get_mut().taken > PART_BYTES_MAX {
            return Error::PartTooLarge;
        }
        if matches!(source, quick_xml::Error::Io(_)) {
            return Error::Broken(source);
        }
        Error::Syntax { at: self.reader.error_position(), source }
    }
}

impl<R> std::fmt::Debug for Parts<R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Parts").field("open", &self.open).finish_non_exhaustive()
    }
}

/// A source that ends with an error when one part takes too much of it.
struct Bounded<R> {
    source: R,
    taken: u64,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..taken), available.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken > PART_BYTES_MAX {
            return Err(io::Error::other("a part is too large"));
        }
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.taken = self.taken.saturating_add(amount as u64);
        self.source.consume(amount);
    }
}
