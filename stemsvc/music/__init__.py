"""What words say of music: keys, tempi, lengths, genres and moods, in English and in German. Pure."""
