// Programs for node have the environment of their caller, as other programs do.
Module.preRun = Module.preRun || [];
Module.preRun.push(function () { Object.assign(ENV, process.env); });
