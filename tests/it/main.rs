//! Drives the built `split` as a person at a terminal does: arguments in, standard output, standard error and an
//! exit code out, and what then lies in the folder.

mod checkpoint;
mod coreutils;
mod corpora;
mod cut_short;
mod damage;
mod examples;
mod folder;
mod inputs;
mod interrupt;
mod items;
mod job;
mod kit;
mod log;
mod plan;
mod python;
mod reduce;
mod reducers;
mod rows;
mod run;
mod setup;
mod show;
mod simulate;
mod site;
mod slices;
mod space;
mod status;
mod table;
mod tail;
mod tree;
mod try_one;
mod urls;
mod verify;
mod versions;
mod why;
mod zombies;
