//! A row-major matrix, for what passes from layer to layer.

use crate::Precision;

/// A row-major matrix `(rows, width)`; either may be 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    width: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Wraps `values` `(rows, width)`.
    ///
    /// # Panics
    /// When there are not `rows · width` values.
    pub fn new(rows: usize, width: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), rows * width, "matrix: values are not (rows {rows}, width {width})");
        Self { rows, width, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of values in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One row, of `width` values.
    ///
    /// # Panics
    /// When `row` is not below the number of rows.
    pub fn row(&self, row: usize) -> &[f64] {
        assert!(row < self.rows, "matrix: row {row} of {}", self.rows);
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// The same matrix with every value rounded.
    pub fn rounded(&self, precision: Precision) -> Self {
        let mut rounded = self.clone();
        precision.round_all(&mut rounded.values);
        rounded
    }

    /// Puts matrices of equally many rows side by side: `(rows, Σ width)`.
    ///
    /// ```
    /// use maskrank_reference::Matrix;
    /// let left = Matrix::new(2, 1, vec![1.0, 2.0]);
    /// let right = Matrix::new(2, 2, vec![3.0, 4.0, 5.0, 6.0]);
    /// assert_eq!(Matrix::concat(2, &[&left, &right]).values(), [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// When a part has not `rows` rows.
    pub fn concat(rows: usize, parts: &[&Matrix]) -> Self {
        let width = parts.iter().map(|part| part.width).sum();
        let mut values = Vec::with_capacity(rows * width);
        for part in parts {
            assert_eq!(part.rows, rows, "concat: every part has {rows} rows");
        }
        for row in 0..rows {
            for part in parts {
                values.extend_from_slice(part.row(row));
            }
        }
        Self::new(rows, width, values)
    }
}
