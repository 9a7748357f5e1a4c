//! One entry as its format gave it, before anything is understood. Buffers are reused from row to row.

/// Values by column, packed into one buffer.
#[derive(Default)]
pub struct Row {
    /// Where it begins; 1 is the first line.
    pub line: u64,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    layout: Layout,
    /// How many values there are for everybody, before those in a certain language.
    translated: usize,
    /// Values that could not be taken over, by column: a fault only where that column is read.
    bad: Vec<(usize, EntryFault)>,
}

/// How the values of a row lie.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// Value n is the one value of column n, a list is one text (CSV).
    #[default]
    Cells,
    /// Any number of texts a column, in any order (JSON Lines).
    Values,
    /// The same, but a value can be bytes that are no text (LDIF).
    Octets,
}

#[derive(Clone, Copy)]
struct Span {
    column: usize,
    start: usize,
    end: usize,
}

impl Row {
    /// Forgets the values, keeps the room.
    pub fn clear(&mut self, line: u64, layout: Layout) {
        self.line = line;
        self.layout = layout;
        self.translated = usize::MAX;
        self.bytes.clear();
        self.spans.clear();
        self.bad.clear();
    }

    /// Notes that a value of the column could not be taken over.
    pub fn push_bad(&mut self, column: usize, fault: EntryFault) {
        self.bad.push((column, fault));
    }

    /// Why a value of the column could not be taken over.
    pub fn bad(&self, column: usize) -> Option<&EntryFault> {
        self.bad.iter().find(|(at, _)| *at == column).map(|(_, fault)| fault)
    }

    /// Columns of which a value could not be taken over.
    pub fn bad_columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.bad.iter().map(|(column, _)| *column)
    }

    /// A fault of the whole entry that a value of it shows.
    pub fn broken(&self) -> Option<&EntryFault> {
        self.bad.iter().map(|(_, fault)| fault).find(|fault| fault.structural)
    }

    /// All values one after the other, with a separator between them.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.bytes.len() + self.spans.len());
        for span in &self.spans {
            text.extend_from_slice(&self.bytes[span.start..span.end]);
            text.push(b'\n');
        }
        text.extend_from_slice(&self.bytes[self.spans.last().map_or(0, |span| span.end)..]);
        text
    }

    /// Gives a row of cells empty ones up to a width.
    pub fn fill_up(&mut self, width: usize) {
        while self.spans.len() < width {
            self.end_value(self.spans.len());
        }
    }

    /// How many values are not empty.
    pub fn filled(&self) -> usize {
        self.spans.iter().filter(|span| !self.bytes[span.start..span.end].trim_ascii().is_empty()).count()
    }

    /// Adds a part of the value that is being written.
    pub fn extend(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    /// Takes the mark away that DOS programs end a file with, where the value that is being written ends with it.
    pub fn drop_end_mark(&mut self) {
        if self.bytes.len() > self.spans.last().map_or(0, |span| span.end) && self.bytes.last() == Some(&0x1a) {
            self.bytes.pop();
        }
    }

    /// Ends the value that is being written.
    pub fn end_value(&mut self, column: usize) {
        let start = self.spans.last().map_or(0, |span| span.end);
        self.spans.push(Span { column, start, end: self.bytes.len() });
    }

    /// Adds a whole value.
    pub fn push(&mut self, column: usize, value: &[u8]) {
        self.extend(value);
        self.end_value(column);
    }

    /// The values of a column, in the order of the file.
    pub fn values(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        // CSV has exactly one value a column, in column order: no search.
        let spans = match self.layout {
            Layout::Cells => self.spans.get(column..=column).unwrap_or_default(),
            Layout::Values | Layout::Octets => &self.spans[..],
        };
        spans.iter().filter(move |span| span.column == column).map(|span| &self.bytes[span.start..span.end])
    }

    /// The values of a column that are meant for everybody, without those in a certain language.
    pub fn values_for_everybody(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        let translations = self.spans.iter().skip(self.translated).filter(|span| span.column == column).count();
        let all = self.values(column).count();
        self.values(column).take(all.saturating_sub(translations))
    }

    /// Values in a certain language follow, unless they are all there already.
    pub fn translated_from_here(&mut self, complete: bool) {
        if !complete {
            self.translated = self.spans.len();
        }
    }

    /// The one value of a column that counts. LDAP promises no order of values, so of several it is the one that is the
    /// same every night: the least of those for everybody.
    pub fn value(&self, column: usize) -> Option<&[u8]> {
        if self.layout != Layout::Octets {
            return self.values(column).next();
        }
        let (everybody, translated) = self.spans.split_at(self.translated.min(self.spans.len()));
        let least = |spans: &[Span]| {
            let of_column = spans.iter().filter(|span| span.column == column);
            of_column.map(|span| &self.bytes[span.start..span.end]).min()
        };
        least(everybody).or_else(|| least(translated))
    }

    /// How its values lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How many values there are.
    pub fn value_count(&self) -> usize {
        self.spans.len()
    }

    /// How long all values are together, the unfinished one included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether every value is empty.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == b' ')
    }
}

/// Why an entry is refused. Names the shape, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFault {
    /// Column or attribute.
    pub column: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub cure: String,
    /// How far it reaches.
    pub reach: Reach,
    /// Whether the entry's structure is damaged: what stands in it may be another's, and it may hide neighbors.
    pub structural: bool,
}

/// What a fault may have hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing but this entry.
    Entry,
    /// Also the entries near it: a line break in a cell can be a quote that is never closed.
    Neighbors,
    /// The rest of the file: it was cut off.
    Rest,
}

impl EntryFault {
    /// A fault of the entry alone.
    pub fn new(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { column: None, problem: problem.into(), cure: cure.into(), reach: Reach::Entry, structural: false }
    }

    /// A file that ends too early.
    pub fn cut(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { reach: Reach::Rest, structural: true, ..Self::new(problem, cure) }
    }

    /// Others may be hidden too, and nothing in the entry is certain.
    #[must_use]
    pub fn near(self) -> Self {
        Self { reach: Reach::Neighbors, structural: true, ..self }
    }

    /// The entry's structure is damaged.
    #[must_use]
    pub fn structural(self) -> Self {
        Self { structural: true, ..self }
    }

    /// In that column.
    #[must_use]
    pub fn at(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }
}
