//! A chunk of rows, held as columns.

use crate::stores::RowProblem;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false.
    Flag,
    /// A whole number.
    Int,
    /// An id: a whole number from 0 to 2^63 - 1.
    Id,
    /// A number of 32 bits.
    Float,
    /// UTF-8.
    Text,
}

impl Kind {
    /// Its name in messages and documentation.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Int => "a whole number",
            Self::Id => "an id",
            Self::Float => "a number",
            Self::Text => "a text",
        }
    }
}

/// How many values a row has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One.
    Required,
    /// One or none; the column may be missing.
    Optional,
    /// Any number; the column may be missing.
    List,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    /// What it means, for the documentation.
    pub(super) meaning: &'static str,
}

/// The values of a column, row after row.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Flag(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f32>),
    /// Texts, one after the other, and where each ends.
    Text(String, Vec<usize>),
}

impl Values {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Flag => Self::Flag(Vec::new()),
            Kind::Int | Kind::Id => Self::Int(Vec::new()),
            Kind::Float => Self::Float(Vec::new()),
            Kind::Text => Self::Text(String::new(), Vec::new()),
        }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Flag(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(_, ends) => ends.len(),
        }
    }

    /// The text at a position.
    pub(super) fn text(&self, position: usize) -> Option<&str> {
        let Self::Text(all, ends) = self else { return None };
        let start = if position == 0 { 0 } else { *ends.get(position - 1)? };
        all.get(start..*ends.get(position)?)
    }

    pub(super) fn push_text(&mut self, text: &str) {
        if let Self::Text(all, ends) = self {
            all.push_str(text);
            ends.push(all.len());
        }
    }

    pub(super) fn push_int(&mut self, value: i64) {
        if let Self::Int(values) = self {
            values.push(value);
        }
    }

    pub(super) fn push_float(&mut self, value: f32) {
        if let Self::Float(values) = self {
            values.push(value);
        }
    }

    pub(super) fn push_flag(&mut self, value: bool) {
        if let Self::Flag(values) = self {
            values.push(value);
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Flag(values) => values.clear(),
            Self::Int(values) => values.clear(),
            Self::Float(values) => values.clear(),
            Self::Text(all, ends) => {
                all.clear();
                ends.clear();
            }
        }
    }
}

/// A column of a chunk. Row `r` has the values from `ends[r - 1]` to `ends[r]`.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    pub(super) ends: Vec<u32>,
}

impl Column {
    /// Ends a row with the values pushed so far.
    pub(super) fn end_row(&mut self) {
        self.ends.push(self.values.len() as u32);
    }

    /// Where a row's values lie.
    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        let start = if row == 0 { 0 } else { self.ends.get(row - 1).copied().unwrap_or_default() };
        start as usize..self.ends.get(row).copied().unwrap_or(start) as usize
    }
}

/// A chunk of rows of one table.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) fields: &'static [Field],
    /// By field.
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
}

impl Chunk {
    pub(super) fn new(fields: &'static [Field]) -> Self {
        let column = |field: &Field| Column { values: Values::new(field.kind), ends: Vec::new() };
        Self { fields, columns: fields.iter().map(column).collect(), rows: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.values.clear();
            column.ends.clear();
        }
    }

    /// A row, to be read field by field in the order of the table.
    pub(super) fn row(&self, row: usize) -> RowReader<'_> {
        RowReader { chunk: self, row, next: 0 }
    }

    /// A new row, to be written field by field in the order of the table.
    pub(super) fn push(&mut self) -> RowWriter<'_> {
        self.rows += 1;
        RowWriter { chunk: self, next: 0 }
    }
}

/// Reads a row, one field per call.
pub(super) struct RowReader<'a> {
    chunk: &'a Chunk,
    row: usize,
    next: usize,
}

/// Builds a reader of optional values, and of what must be there or of lists.
macro_rules! readers {
    ($($maybe:ident $(, one $one:ident)? $(, many $many:ident)?: $variant:ident => $type:ty;)*) => { $(
        $(
        /// The next field's value.
        #[allow(dead_code, reason = "not every kind occurs as a field that must be there")]
        pub(super) fn $one(&mut self) -> Result<$type, RowProblem> {
            let name = self.field();
            self.$maybe().ok_or_else(|| RowProblem::invalid(name, "a value", "none"))
        }
        )?

        /// The next field's value, if it has one.
        pub(super) fn $maybe(&mut self) -> Option<$type> {
            let column = self.column()?;
            let Values::$variant(values) = &column.values else { return None };
            values.get(column.range(self.row)).and_then(|values| values.first()).copied()
        }

        $(
        /// The next field's values.
        pub(super) fn $many(&mut self) -> &'a [$type] {
            let Some(column) = self.column() else { return &[] };
            let Values::$variant(values) = &column.values else { return &[] };
            values.get(column.range(self.row)).unwrap_or_default()
        }
        )?
    )* };
}

impl<'a> RowReader<'a> {
    /// The next field's name.
    pub(super) fn field(&self) -> &'static str {
        self.chunk.fields.get(self.next).map_or("", |field| field.name)
    }

    /// Whether the next field has no value.
    pub(super) fn peek_is_none(&self) -> bool {
        self.chunk.columns.get(self.next).is_none_or(|column| column.range(self.row).is_empty())
    }

    fn column(&mut self) -> Option<&'a Column> {
        let column = self.chunk.columns.get(self.next);
        self.next += 1;
        column
    }

    readers! {
        maybe_int, one int, many ints: Int => i64;
        maybe_float, one float, many floats: Float => f32;
        maybe_flag: Flag => bool;
    }

    /// The next field's id.
    pub(super) fn id<I: From<u64>>(&mut self) -> Result<I, RowProblem> {
        self.int().map(|id| I::from(id as u64))
    }

    /// The next field's id, if it has one.
    pub(super) fn maybe_id<I: From<u64>>(&mut self) -> Option<I> {
        self.maybe_int().map(|id| I::from(id as u64))
    }

    /// The next field's ids.
    pub(super) fn ids<I: From<u64>>(&mut self) -> Vec<I> {
        self.ints().iter().map(|&id| I::from(id as u64)).collect()
    }

    /// The next field's flag; none is false.
    pub(super) fn flag(&mut self) -> bool {
        self.maybe_flag().unwrap_or_default()
    }

    /// The next field's number, which must fit its type; none is 0.
    pub(super) fn small<T: TryFrom<i64> + Default>(&mut self) -> Result<T, RowProblem> {
        self.maybe_small().map(Option::unwrap_or_default)
    }

    /// The next field's number, if it has one, which must fit its type.
    pub(super) fn maybe_small<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, RowProblem> {
        let name = self.field();
        let fit = |value: i64| {
            T::try_from(value).map_err(|_| RowProblem::invalid(name, "a number that fits the field", value))
        };
        self.maybe_int().map(fit).transpose()
    }

    /// The next field's text, if it has one.
    pub(super) fn maybe_text(&mut self) -> Option<&'a str> {
        let column = self.column()?;
        let range = column.range(self.row);
        if range.is_empty() { None } else { column.values.text(range.start) }
    }

    /// The next field's text.
    pub(super) fn text(&mut self) -> Result<&'a str, RowProblem> {
        let name = self.field();
        self.maybe_text().ok_or_else(|| RowProblem::invalid(name, "a value", "none"))
    }

    /// The next field's texts.
    pub(super) fn texts(&mut self) -> Vec<String> {
        let Some(column) = self.column() else { return Vec::new() };
        let text = |position| column.values.text(position).unwrap_or_default().to_owned();
        column.range(self.row).map(text).collect()
    }
}

/// Writes a row, one field per call.
pub(super) struct RowWriter<'a> {
    chunk: &'a mut Chunk,
    next: usize,
}

impl RowWriter<'_> {
    fn put(&mut self, push: impl FnOnce(&mut Values)) -> &mut Self {
        if let Some(column) = self.chunk.columns.get_mut(self.next) {
            push(&mut column.values);
            column.end_row();
        }
        self.next += 1;
        self
    }

    pub(super) fn id(&mut self, id: impl Into<u64>) -> &mut Self {
        let id = id.into() as i64;
        self.put(|values| values.push_int(id))
    }

    pub(super) fn maybe_id(&mut self, id: Option<impl Into<u64>>) -> &mut Self {
        self.put(|values| id.into_iter().for_each(|id| values.push_int(id.into() as i64)))
    }

    pub(super) fn ids<I: Into<u64> + Copy>(&mut self, ids: &[I]) -> &mut Self {
        self.put(|values| ids.iter().for_each(|&id| values.push_int(id.into() as i64)))
    }

    pub(super) fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        let value = value.into();
        self.put(|values| values.push_int(value))
    }

    pub(super) fn maybe_int(&mut self, value: Option<impl Into<i64>>) -> &mut Self {
        self.put(|values| value.into_iter().for_each(|value| values.push_int(value.into())))
    }

    pub(super) fn ints(&mut self, ints: impl Iterator<Item = i64>) -> &mut Self {
        self.put(|values| ints.for_each(|value| values.push_int(value)))
    }

    pub(super) fn float(&mut self, value: f32) -> &mut Self {
        self.put(|values| values.push_float(value))
    }

    pub(super) fn floats(&mut self, floats: impl Iterator<Item = f32>) -> &mut Self {
        self.put(|values| floats.for_each(|value| values.push_float(value)))
    }

    pub(super) fn flag(&mut self, value: bool) -> &mut Self {
        self.put(|values| values.push_flag(value))
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.put(|values| values.push_text(text))
    }

    pub(super) fn texts<T: AsRef<str>>(&mut self, texts: &[T]) -> &mut Self {
        self.put(|values| texts.iter().for_each(|text| values.push_text(text.as_ref())))
    }
}
