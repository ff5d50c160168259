//! A safetensors file as a table: (rows, width) tensors named like the model's inputs, read a row at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use maskrank::Error;
use maskrank::config::Widths;
use serde::Deserialize;

use super::input::{FEATURES, IDS, Table, Values, read_ahead};

/// A header is a few hundred bytes; a longer one is no batch of features.
const MAX_HEADER: u64 = 1 << 20;
const BUFFER_BYTES: usize = 1 << 18;

#[derive(Deserialize)]
struct Raw {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

#[derive(Clone, Copy)]
enum Element {
    F32,
    Bf16,
    F16,
    U8,
    I64,
}

impl Element {
    fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
            Self::U8 => 1,
            Self::I64 => 8,
        }
    }
}

/// A tensor with a reader of its own, so that each is read from front to back.
struct Column {
    reader: BufReader<File>,
    start: u64,
    element: Element,
    width: u64,
    row: Vec<u8>,
}

pub(super) struct SafetensorsTable {
    path: PathBuf,
    rows: u64,
    ids: [Option<Column>; 3],
    features: [Option<Column>; 5],
}

impl SafetensorsTable {
    pub(super) fn open(path: &Path, widths: Widths) -> Result<Self, Error> {
        let io = |operation| move |source| Error::Io { operation, path: path.to_owned(), source };
        let wrong = |tensor: &str, problem: String| Error::Weights {
            file: path.to_owned(),
            tensor: tensor.to_owned(),
            problem,
        };
        let mut file = File::open(path).map_err(io("open"))?;
        let bytes = file.metadata().map_err(io("read"))?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(io("read"))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > bytes - 8 {
            return Err(wrong(
                "header",
                format!("expected at most {MAX_HEADER} bytes inside the file, found {length}"),
            ));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(io("read"))?;
        let tensors: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)
            .map_err(|error| wrong("header", format!("not a safetensors header: {error}")))?;

        let mut rows = None;
        let mut column = |name: &str, width: usize, is_id: bool| -> Result<Option<Column>, Error> {
            let Some(value) = tensors.get(name).filter(|_| width > 0) else {
                return if is_id || width == 0 {
                    Ok(None)
                } else {
                    Err(wrong(name, "expected it, found no such tensor".into()))
                };
            };
            let raw = Raw::deserialize(value).map_err(|error| wrong(name, error.to_string()))?;
            let element = match (raw.dtype.as_str(), is_id) {
                ("I64", true) => Element::I64,
                ("F32", false) => Element::F32,
                ("BF16", false) => Element::Bf16,
                ("F16", false) => Element::F16,
                ("U8" | "BOOL", false) => Element::U8,
                (other, _) => {
                    let wanted = if is_id { "I64" } else { "F32, BF16, F16, U8 or BOOL" };
                    return Err(wrong(name, format!("expected the type {wanted}, found {other}")));
                }
            };
            let width = width as u64;
            let fits = match raw.shape[..] {
                [_] => width == 1,
                [_, found] => found == width,
                _ => false,
            };
            if !fits {
                return Err(wrong(name, format!("expected shape [rows, {width}], found {:?}", raw.shape)));
            }
            let found = raw.shape[0];
            if *rows.get_or_insert(found) != found {
                return Err(wrong(
                    name,
                    format!("expected {} rows as the others have, found {found}", rows.unwrap_or(0)),
                ));
            }
            let (begin, end) = raw.data_offsets;
            let needed = found.checked_mul(width).and_then(|n| n.checked_mul(element.size()));
            let inside = end.checked_add(8 + length).is_some_and(|end| end <= bytes);
            if begin > end || !inside || needed != Some(end - begin) {
                return Err(wrong(
                    name,
                    format!("its data [{begin}, {end}] do not fit its shape or the file"),
                ));
            }
            let file = File::open(path).map_err(io("open"))?;
            read_ahead(&file);
            let reader = BufReader::with_capacity(BUFFER_BYTES, file);
            let row = vec![0; (width * element.size()) as usize];
            Ok(Some(Column { reader, start: 8 + length + begin, element, width, row }))
        };
        let [user, user_eng, author] = widths.embeddings();
        let w = [widths.continuous, widths.binary, user, user_eng, author];
        let mut features = [const { None }; 5];
        for ((slot, name), width) in features.iter_mut().zip(FEATURES).zip(w) {
            *slot = column(name, width, false)?;
        }
        let mut ids = [const { None }; 3];
        for (slot, name) in ids.iter_mut().zip(IDS) {
            *slot = column(name, 1, true)?;
        }
        Ok(Self { path: path.to_owned(), rows: rows.unwrap_or(0), ids, features })
    }
}

impl Table for SafetensorsTable {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn seek(&mut self, row: u64) -> Result<(), Error> {
        for column in self.ids.iter_mut().chain(&mut self.features).flatten() {
            // `open` checked that all rows lie inside the file, so this cannot overflow.
            let at = column.start + row * column.width * column.element.size();
            let sought = column.reader.seek(SeekFrom::Start(at));
            sought.map_err(|source| Error::Io { operation: "go on in", path: self.path.clone(), source })?;
        }
        Ok(())
    }

    fn read(&mut self, values: &mut Values) -> Result<(), Error> {
        let path = &self.path;
        let fill = |column: &mut Column| {
            let read = column.reader.read_exact(&mut column.row);
            read.map_err(|source| Error::Io { operation: "read", path: path.clone(), source })
        };
        for (column, id) in self.ids.iter_mut().zip(&mut values.ids) {
            if let Some(column) = column {
                fill(column)?;
                *id = i64::from_le_bytes(array(&column.row));
            }
        }
        for (column, into) in self.features.iter_mut().zip(&mut values.features) {
            into.clear();
            let Some(column) = column else { continue };
            fill(column)?;
            let cells = column.row.chunks_exact(column.element.size() as usize);
            match column.element {
                Element::F32 => into.extend(cells.map(|cell| f32::from_le_bytes(array(cell)))),
                Element::Bf16 => into.extend(cells.map(|cell| bf16::from_le_bytes(array(cell)).to_f32())),
                Element::F16 => into.extend(cells.map(|cell| f16::from_le_bytes(array(cell)).to_f32())),
                Element::U8 => into.extend(column.row.iter().map(|&byte| f32::from(byte))),
                Element::I64 => {}
            }
        }
        Ok(())
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("a cell has the size of its element")
}
