package reason

// PluginSays is a plugin's own sentence, where the PDP has no text for it. The
// sentence comes in both languages, as the arguments en and zh; {said} in the
// text stands for the one that is asked for.
const PluginSays = "ZT-TRU-090"

const saidMark = "{said}"

// said is the sentence that r brings along in a language; empty if there is none.
func said(lang Language, args map[string]string) string {
	if lang == Chinese {
		return args["zh"]
	}
	return args["en"]
}
