//! Which format an answer is written in.

use std::path::Path;

/// A file's format, by the ending of its name; or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header (RFC 4180, lines ending in `\n`).
    Csv,
    /// The same with tabs.
    Tsv,
    /// One JSON value: an array of objects for a table.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// A SQLite database, with the tables `items` and `provenance`.
    Sqlite,
    /// An array for NumPy.
    Npy,
    /// An archive of files.
    Zip,
    /// A folder of files.
    Folder,
}

/// A name that says no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Another ending, or none.
    #[error("its ending says no format")]
    Ending,
    /// No name of a file at all.
    #[error("it names no file")]
    NoName,
}

impl Format {
    /// The endings, for people.
    pub const ENDINGS: &'static str = ".csv .tsv .json .jsonl .sqlite .db .npy .zip";

    /// The format of the file `path`, by its ending, in any case; one that ends with a slash is a folder.
    ///
    /// # Errors
    /// Where the ending is none of [`Format::ENDINGS`].
    pub fn of(path: &Path) -> Result<Self, FormatError> {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Ok(Self::Folder);
        }
        if path.file_name().is_none() {
            return Err(FormatError::NoName);
        }
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.as_encoded_bytes() {
            b"csv" => Ok(Self::Csv),
            b"tsv" => Ok(Self::Tsv),
            b"json" => Ok(Self::Json),
            b"jsonl" => Ok(Self::JsonLines),
            b"sqlite" | b"db" => Ok(Self::Sqlite),
            b"npy" => Ok(Self::Npy),
            b"zip" => Ok(Self::Zip),
            _ => Err(FormatError::Ending),
        }
    }

    /// Whether it holds files, and no table.
    #[must_use]
    pub fn is_of_files(self) -> bool {
        matches!(self, Self::Zip | Self::Folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        let format = |path: &str| Format::of(Path::new(path));
        assert_eq!(format("a/b.csv"), Ok(Format::Csv));
        assert_eq!(format("B.TSV"), Ok(Format::Tsv));
        assert_eq!(format("x.jsonl"), Ok(Format::JsonLines));
        assert_eq!(format("x.db"), Ok(Format::Sqlite));
        assert_eq!(format("frames/"), Ok(Format::Folder));
        assert_eq!(format("x.csv/"), Ok(Format::Folder));
        assert_eq!(format(".csv"), Err(FormatError::Ending));
        assert_eq!(format("x.csv.gz"), Err(FormatError::Ending));
        assert_eq!(format("frames"), Err(FormatError::Ending));
        assert_eq!(format(".."), Err(FormatError::NoName));
        for ending in Format::ENDINGS.split(' ') {
            assert!(format(&format!("x{ending}")).is_ok(), "{ending}");
        }
    }
}
