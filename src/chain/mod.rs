//! Chains: what the segments of an item have left, and what the next one starts from.
//!
//! A segment's job brings back a partial with one record, of kind [`Kind::Segment`](crate::record::Kind::Segment): what the program yielded in it, and the
//! state files that it left. The record names the attempt that it went on from, so that records form lines ([`Line`]): one is whole
//! where every record of it is there, back to the first segment. Once a line has reached its end its results are joined ([`join()`])
//! to the item's one result, as if the program had run in one go.
//!
//! Invariant: nothing goes on from a state unless every byte of it is as it was written. Many programs start anew, without a
//! word, where their state file is missing, and read one whose bits have changed as if it were whole (GROMACS took 57 of 60
//! such files, LAMMPS 49). So the checksum is around their files, what is damaged is set aside, and the line ends before it.

mod handover;
mod join;
#[cfg(test)]
mod laws;
mod line;
mod state;

pub use handover::{HandoverError, folder_name, hand_nothing, hand_over, receive, take_back};
pub use join::{is_joined, join};
pub use line::{Check, Line, Link, SetAside, line};
pub use state::{StateError, clear_state, lay_state};
