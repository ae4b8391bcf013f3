//! What a binary program says about the libraries that it needs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use object::Endianness;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DynamicTag, FileHeader32, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

/// What the header and the dynamic section of an ELF file say, ld.so(8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// Whether it asks for a dynamic loader, and with it for this machine's libraries.
    pub(super) is_dynamic: bool,
    /// The libraries that it needs, by name.
    pub(super) needed: Vec<OsString>,
    /// Where they are looked for before LD_LIBRARY_PATH, also on behalf of the libraries themselves.
    pub(super) rpath: Vec<OsString>,
    /// Where they are looked for after LD_LIBRARY_PATH.
    pub(super) runpath: Vec<OsString>,
}

/// Whether a program asks for a dynamic loader (ELF's PT_INTERP), and with it for this machine's libraries.
#[must_use]
pub fn is_dynamic(program: &Path) -> bool {
    read(program).is_some_and(|elf| elf.is_dynamic)
}

/// What the file at `path` says; `None` where it is no ELF file, or a broken one.
pub(super) fn read(path: &Path) -> Option<Elf> {
    let mut start = [0; 4];
    // Data files may be large: only a program is read whole.
    File::open(path).ok()?.read_exact(&mut start).ok()?;
    if start != *b"\x7fELF" {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    parse::<FileHeader64<Endianness>>(&bytes).or_else(|_| parse::<FileHeader32<Endianness>>(&bytes)).ok()
}

fn parse<Header: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<Elf> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let mut segments = header.program_headers(endian, bytes)?.iter();
    let mut elf = Elf { is_dynamic: segments.any(|segment| segment.p_type(endian) == PT_INTERP), ..Elf::default() };
    // A file without sections tells nothing more.
    let Ok(dynamic) = header.sections(endian, bytes).and_then(|sections| sections.dynamic_table(endian, bytes)) else {
        return Ok(elf);
    };
    let texts = |tag: DynamicTag| {
        let entries = dynamic.iter().filter(move |entry| entry.tag == tag);
        entries.filter_map(|entry| dynamic.string(entry).ok().map(<[u8]>::to_vec))
    };
    let folders = |tag| {
        let paths: Vec<_> = texts(tag).collect();
        let folders = paths.iter().flat_map(|path| path.split(|&byte| byte == b':'));
        folders.filter(|folder| !folder.is_empty()).map(|folder| OsString::from_vec(folder.to_vec())).collect()
    };
    elf.needed = texts(DT_NEEDED).map(OsString::from_vec).collect();
    elf.rpath = folders(DT_RPATH);
    elf.runpath = folders(DT_RUNPATH);
    Ok(elf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_libraries_is_told_from_one_that_does_not() {
        assert!(is_dynamic(Path::new("/bin/sh")), "distributions build their shell dynamically");
        let own = std::env::current_exe().expect("this test");
        assert_eq!(is_dynamic(&own), !cfg!(target_feature = "crt-static"));
        assert!(!is_dynamic(Path::new("/etc/passwd")));
        let shell = read(Path::new("/bin/sh")).expect("a program");
        assert!(shell.needed.iter().any(|name| name.to_string_lossy().starts_with("libc.so")), "{shell:?}");
    }

    #[test]
    fn what_only_begins_like_a_program_is_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for text in [&b"\x7fELF"[..], b"\x7fELF\x02\x01\x01 and nothing more", b"", b"\x7fEL"] {
            let path = folder.path().join("file");
            fs::write(&path, text).expect("written");
            assert_eq!(read(&path), None);
        }
    }
}
