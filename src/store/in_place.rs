//! Files that are written in place: for what keeps two copies of its own and overwrites the older one.
//!
//! Overwriting and syncing a file that is there already costs a third of a temporary file, its sync, its renaming and the
//! folder's sync. It is for those alone who find out by themselves which of two files is whole. The system calls
//! stand behind a trait, so that a test can fail or stop after each of them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::StoreError;

/// The system calls that a file which is written in place needs.
pub trait Medium {
    /// An open file.
    type File;

    /// Opens a file to read and write; makes it where it is not there and `make` is set.
    ///
    /// # Errors
    /// What the system says; where the file is not there and is not to be made there is no file and no error.
    fn open(&self, path: &Path, make: bool) -> io::Result<Option<Self::File>>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn length(&self, file: &Self::File) -> io::Result<u64>;

    /// Reads some bytes from `offset` on, none at the end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, file: &Self::File, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of the bytes from `offset` on.
    ///
    /// # Errors
    /// What the system says, such as that the disk is full.
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the file shorter or longer.
    ///
    /// # Errors
    /// What the system says.
    fn set_length(&self, file: &Self::File, length: u64) -> io::Result<()>;

    /// Waits until the file's bytes and length are on the disk.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Waits until the names in the folder are on the disk.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Medium for Disk {
    type File = File;

    fn open(&self, path: &Path, make: bool) -> io::Result<Option<File>> {
        match OpenOptions::new().read(true).write(true).create(make).truncate(false).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !make => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(file, bytes, offset)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(file, bytes, offset)
    }

    fn set_length(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        match super::sync_folder(folder) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.source),
        }
    }
}

/// Makes a folder and those above it, so that they last through a loss of power; does nothing where it is there.
///
/// # Errors
/// Where it cannot be made.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    super::make_folder(path)?;
    missing.into_iter().try_for_each(|folder| super::sync_folder(super::parent(folder)))
}

/// Takes the lock of a file, which is made where it is not there, for this process until the file that is given back
/// is closed. None where another process holds it. Where the file system knows no locks there is none to take.
///
/// The lock belongs to the process and not to the open file: a child that outlives the process does not keep it.
///
/// # Errors
/// Where the file cannot be opened or made.
pub fn lock_file(path: &Path) -> Result<Option<File>, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(StoreError::on("write", path))?;
    match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::NOLCK | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => Ok(Some(file)),
        Err(Errno::ACCESS | Errno::AGAIN) => Ok(None),
        Err(error) => Err(StoreError::on("lock", path)(error.into())),
    }
}
