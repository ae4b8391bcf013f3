//! Tables as comma- or tab-separated values: RFC 4180 with `\n` at the ends of lines. Cells stand as they were spelled, also
//! those that are not UTF-8; a missing one is empty.

use super::{AnswerError, Cell, Column, Output, TableSink, Written};

/// Writes a header and a line for each row.
pub(super) struct CsvSink {
    writer: ::csv::Writer<Output>,
    /// For messages.
    path: std::path::PathBuf,
}

impl CsvSink {
    pub(super) fn new(output: Output, columns: &[Column], delimiter: u8) -> Result<Self, AnswerError> {
        let path = output.path().to_owned();
        let writer = ::csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(::csv::Terminator::Any(b'\n'))
            .buffer_capacity(1 << 16)
            .from_writer(output);
        let mut sink = Self { writer, path };
        sink.record(columns.iter().map(|column| column.name.as_bytes()))?;
        Ok(sink)
    }

    fn record<'a>(&mut self, fields: impl Iterator<Item = &'a [u8]>) -> Result<(), AnswerError> {
        let failed = |error: ::csv::Error| match error.into_kind() {
            ::csv::ErrorKind::Io(error) => error,
            other => std::io::Error::other(format!("{other:?}")),
        };
        self.writer.write_record(fields).map_err(|error| AnswerError::write(&self.path)(failed(error)))
    }

    pub(super) fn finish(self) -> Result<Written, AnswerError> {
        let output = self.writer.into_inner();
        output.map_err(|error| AnswerError::write(&self.path)(error.into_error()))?.commit()
    }
}

impl TableSink for CsvSink {
    fn row(&mut self, _: u128, cells: &[Cell<'_>]) -> Result<(), AnswerError> {
        self.record(cells.iter().map(|cell| cell.text))
    }
}
