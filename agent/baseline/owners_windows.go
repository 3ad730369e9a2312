package baseline

import "io/fs"

func ownersOf(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }
